// What the page says about successes and failures.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Problem } from "../problem";
import { t } from "../texts";

/** Returns the sentence about a problem, without the time to wait. */
export function sentence(p: Problem): string {
  return t().problems[p.code] ?? (p.detail || t().problems.unknown!);
}

/** Counts the seconds down, from when it is given others. */
export function useCountdown(wait: { seconds: number }): number {
  const [left, setLeft] = useState(wait.seconds);
  useEffect(() => {
    const end = Date.now() + wait.seconds * 1000;
    setLeft(wait.seconds);
    if (wait.seconds === 0) return;
    const timer = setInterval(() => {
      const rest = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      setLeft(rest);
      if (rest === 0) clearInterval(timer);
    }, 1000);
    return () => clearInterval(timer);
  }, [wait]);
  return left;
}

/** Tries again when the server said so, and returns in how many seconds that is. */
export function useRetry(problem: Problem, retry?: () => void): number {
  const wait = useMemo(() => ({ seconds: problem.retryAfter }), [problem]);
  const left = useCountdown(wait);
  useEffect(() => {
    if (retry && problem.retryAfter > 0 && left === 0) retry();
  }, [left]);
  return left;
}

/** A problem. With retry, the page tries again by itself when the server said so. */
export function Trouble({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const left = useRetry(problem, retry);
  return (
    <div class="message bad" role="alert">
      <p>
        {sentence(problem)} {left > 0 && <span aria-live="off">{retry ? t().retriesIn(left) : t().retryIn(left)}</span>}
        {left === 0 && problem.retryAfter > 0 && !retry && t().retryPossible}
      </p>
      {problem.status >= 500 && problem.retryAfter === 0 && problem.correlation && <p class="quiet">{t().correlation(problem.correlation)}</p>}
      {retry && <button type="button" class="plain" onClick={retry}>{left > 0 ? t().retryNow : t().retry}</button>}
    </div>
  );
}

/** A message that screen readers read when it appears. */
export const Note = ({ children }: { children: ComponentChildren }) => (
  <div role="status">{children && <p class="message good">{children}</p>}</div>
);

/** Stands for what has not arrived yet. It appears late, so that it does not flicker. */
export const Loading = () => <p class="loading" role="status">{t().loading}</p>;
