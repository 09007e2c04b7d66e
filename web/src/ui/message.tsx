// What the page says about successes and failures.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Problem } from "../problem";
import { t } from "../texts";

/** Returns the sentence about a problem, without the time to wait. */
export function sentence(p: Problem): string {
  return t().problems[p.code] ?? (p.detail || t().problems.unknown!);
}

/** Counts the seconds down, from when the problem occurred. */
function useCountdown(problem: Problem): number {
  const [left, setLeft] = useState(problem.retryAfter);
  useEffect(() => {
    const end = Date.now() + problem.retryAfter * 1000;
    setLeft(problem.retryAfter);
    const timer = setInterval(() => {
      const rest = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      setLeft(rest);
      if (rest === 0) clearInterval(timer);
    }, 1000);
    return () => clearInterval(timer);
  }, [problem]);
  return left;
}

/** A problem. With retry, the page tries again by itself when the server said so. */
export function Trouble({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const left = useCountdown(problem);
  useEffect(() => {
    if (retry && problem.retryAfter > 0 && left === 0) retry();
  }, [left]);
  return (
    <div class="message bad" role="alert">
      <p>
        {sentence(problem)} {left > 0 && <span aria-live="off">{retry ? t().retriesIn(left) : t().retryIn(left)}</span>}
      </p>
      {problem.status >= 500 && problem.retryAfter === 0 && problem.correlation && <p class="quiet">{t().correlation(problem.correlation)}</p>}
      {retry && <button type="button" class="plain" onClick={retry}>{t().retry}</button>}
    </div>
  );
}

/** A message that screen readers read when it appears. */
export const Note = ({ children }: { children: ComponentChildren }) => (
  <div role="status">{children && <p class="message good">{children}</p>}</div>
);

/** Stands for what has not arrived yet. It appears late, so that it does not flicker. */
export const Loading = () => <p class="loading" role="status">{t().loading}</p>;
