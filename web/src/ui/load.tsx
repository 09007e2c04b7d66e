// Data that a view shows.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { problemOf, type Problem } from "../problem";

export interface Loaded<T> {
  data: T | null;
  problem: Problem | null;
  reload: () => Promise<void>;
}

/** Loads data when the view opens, when inputs change, and when the connection is back. */
export function useLoad<T>(read: () => Promise<T>, inputs: unknown[] = []): Loaded<T> {
  const [state, setState] = useState<{ data: T | null; problem: Problem | null }>({ data: null, problem: null });
  const latest = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++latest.current;
    try {
      const data = await read();
      if (mine === latest.current) setState({ data, problem: null });
    } catch (error) {
      if (mine === latest.current) setState((was) => ({ data: was.data, problem: problemOf(error) }));
    }
  }, inputs);
  useEffect(() => {
    setState({ data: null, problem: null });
    void reload();
    addEventListener("online", reload);
    return () => {
      latest.current++; // what still arrives is for another view
      removeEventListener("online", reload);
    };
  }, [reload]);
  return { ...state, reload };
}
