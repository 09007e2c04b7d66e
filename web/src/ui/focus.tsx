import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** Moves the focus to the heading of the view if the element goes while it has the focus. */
export function useFocusAfter(element: RefObject<HTMLElement | null>): void {
  // Other effects are cleaned up when the element has gone already.
  useLayoutEffect(() => () => {
    if (element.current?.contains(document.activeElement)) document.querySelector<HTMLElement>("h1")?.focus();
  }, []);
}

/** An entry of a list that somebody may remove with a button in it. */
export function Row({ children }: { children: ComponentChildren }) {
  const row = useRef<HTMLLIElement>(null);
  useFocusAfter(row);
  return <li ref={row}>{children}</li>;
}
