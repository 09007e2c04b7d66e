// Lists that the gateway returns page by page.
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "../api";
import { problemOf, type Problem } from "../problem";
import { t } from "../texts";
import { Loading, Trouble } from "./message";

interface State<T> {
  items: T[] | null; // null until the first page is there
  next: string | undefined; // the cursor of the next page
  problem: Problem | null;
  busy: boolean;
}

export interface Pages<T> extends State<T> {
  /** Reads the next page. */
  more: () => Promise<void>;
  /** Reads everything again that is shown. */
  reload: () => Promise<void>;
}

/**
 * Reads the first page when the view opens, when inputs change, and when the connection is
 * back. What is shown stays until other items are there, so that nothing flickers while
 * somebody searches.
 */
export function usePages<T>(read: (cursor?: string) => Promise<Page<T>>, inputs: unknown[] = []): Pages<T> {
  const [state, setState] = useState<State<T>>({ items: null, next: undefined, problem: null, busy: false });
  const latest = useRef(0);
  /** Adds pages to the items until there are as many as wanted. */
  const fill = useCallback(async (items: T[], cursor: string | undefined, want: number) => {
    const mine = ++latest.current;
    const afresh = want === 0 && !cursor;
    setState((was) => ({ ...was, busy: true }));
    try {
      let page: Page<T>;
      do {
        page = await read(cursor);
        items = [...items, ...page.items];
        cursor = page.next;
      } while (cursor && items.length < want && mine === latest.current);
      if (mine === latest.current) setState({ items, next: cursor, problem: null, busy: false });
    } catch (error) {
      if (mine === latest.current) setState(({ items, next }) => ({ items: afresh ? null : items, next, problem: problemOf(error), busy: false }));
    }
  }, inputs);
  const reload = () => fill([], undefined, state.items?.length ?? 0);
  const current = useRef(reload);
  current.current = reload;
  useEffect(() => {
    void fill([], undefined, 0);
    const again = () => void current.current();
    addEventListener("online", again);
    return () => {
      latest.current++; // what still arrives is for another view
      removeEventListener("online", again);
    };
  }, [fill]);
  return { ...state, reload, more: () => fill(state.items ?? [], state.next, 0) };
}

interface Props<T> {
  list: Pages<T>;
  /** What is shown if there is nothing. */
  empty: ComponentChildren;
  /** Shows the items, each as a li or a row of a table. */
  children: (items: T[]) => ComponentChildren;
}

/** A list with a button that shows more of it. */
export function Paged<T>({ list, empty, children }: Props<T>) {
  const area = useRef<HTMLDivElement>(null);
  const shown = useRef(0); // how many items there were when somebody asked for more
  const count = list.items?.length ?? 0;
  useEffect(() => {
    // The button may be gone, and it is the new ones that somebody wants to read.
    if (shown.current > 0 && count > shown.current) {
      area.current!.querySelectorAll("li, tbody tr")[shown.current]?.querySelector<HTMLElement>("a, button")?.focus();
    }
    shown.current = 0;
  }, [count]);
  function more() {
    shown.current = count;
    void list.more();
  }
  return (
    <div ref={area} aria-busy={list.busy}>
      <p class="unseen" role="status">{list.items && t().listed(count, !!list.next)}</p>
      {list.problem && <Trouble problem={list.problem} retry={() => void list.reload()} />}
      {!list.items && !list.problem && <Loading />}
      {list.items && (count === 0 ? empty : children(list.items))}
      {list.items && list.next && (
        <button type="button" class="further" aria-disabled={list.busy} onClick={() => !list.busy && more()}>{t().more}</button>
      )}
    </div>
  );
}
