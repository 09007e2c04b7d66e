import { useEffect } from "preact/hooks";

const interval = 5000; // milliseconds

/** Reads again while something is under way and somebody looks, and whenever the cause changes. */
export function useRefresh(underWay: boolean, reload: () => Promise<void>, cause?: string): void {
  useEffect(() => {
    if (cause !== undefined) void reload();
  }, [cause]);
  useEffect(() => {
    if (!underWay) return;
    const timer = setInterval(() => !document.hidden && void reload(), interval);
    return () => clearInterval(timer);
  }, [underWay, reload]);
}
