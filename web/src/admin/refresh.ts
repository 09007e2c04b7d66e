import { useEffect, useRef } from "preact/hooks";

// The pauses between two readings, in milliseconds. They grow, because the gateway allows a
// client only so many requests per minute.
const first = 2000;
const longest = 15_000;
const growth = 1.5;

/** Reads again and again while something is under way and somebody looks; often at first, and when the cause changes. */
export function useRefresh(underWay: boolean, reload: () => Promise<void>, cause?: string): void {
  const latest = useRef(reload);
  latest.current = reload;
  useEffect(() => {
    if (!underWay) return;
    let pause = first;
    let timer = setTimeout(next, pause);
    let over = false;
    async function next() {
      if (!document.hidden) await latest.current();
      pause = Math.min(longest, pause * growth);
      if (!over) timer = setTimeout(next, pause);
    }
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [underWay, cause]);
}
