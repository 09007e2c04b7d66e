import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

/** Moves the focus to the heading of the view if the element goes while it has the focus. */
export function useFocusAfter(element: RefObject<HTMLElement | null>): void {
  useEffect(() => () => {
    if (element.current?.contains(document.activeElement)) document.querySelector<HTMLElement>("h1")?.focus();
  }, []);
}
