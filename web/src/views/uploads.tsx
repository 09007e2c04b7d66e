import type { ComponentChildren } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { size, t } from "../texts";
import { Row, useFocusAfter } from "../ui/focus";
import { sentence, useCountdown } from "../ui/message";
import { active, again, cancel, clear, uploads, type Upload } from "../uploads";

const waitingShown = 3; // of the uploads that wait; the number of the others is enough

/** How far the uploads are, and those that need attention. */
export function Uploads() {
  const all = uploads.value;
  if (all.length === 0) return null;
  const are = (...states: string[]) => all.filter((u) => states.includes(u.state.value));
  const done = are("done").length;
  const pending = all.filter(active);
  const existing = are("exists");
  const hidden = new Set([...are("done"), ...are("waiting").slice(waitingShown)]);
  const summary = pending.length > 0 ? t().uploads.progress(done, all.length) : t().uploads.over(done);
  return (
    <Area label={t().uploads.title}>
      <div class="head">
        <h2>{summary}</h2>
        <div class="tools">
          {existing.length > 1 && <button type="button" onClick={() => existing.forEach((u) => again(u, true))}>{t().uploads.replaceAll}</button>}
          {pending.length > 1 && <button type="button" onClick={() => cancel(...pending)}>{t().uploads.cancelAll}</button>}
          {pending.length === 0 && <button type="button" onClick={clear}>{t().uploads.clear}</button>}
        </div>
      </div>
      <p class="unseen" role="status">{pending.length === 0 && summary}</p>
      {pending.length > 0 && all.length > 1 && <progress max={all.length} value={done} aria-label={summary} />}
      {hidden.size < all.length && (
        <ul class="rows">{all.filter((u) => !hidden.has(u)).map((upload) => <One key={upload} upload={upload} />)}</ul>
      )}
    </Area>
  );
}

/** The frame around uploads or downloads. */
export function Area({ label, children }: { label: string; children: ComponentChildren }) {
  const area = useRef<HTMLElement>(null);
  useFocusAfter(area);
  return <section class="uploads" ref={area} aria-label={label}>{children}</section>;
}

function One({ upload }: { upload: Upload }) {
  const { name } = upload;
  const state = upload.state.value;
  // One button, so that it keeps the focus when it becomes another.
  const [label, title, act] = active(upload)
    ? [t().cancel, t().uploads.cancelOf(name), () => cancel(upload)]
    : state === "exists"
      ? [t().uploads.replace, t().uploads.replaceOf(name), () => again(upload, true)]
      : [t().retry, t().uploads.retryOf(name), () => again(upload)];
  return (
    <Row>
      <div>
        <strong><bdi>{name}</bdi></strong>
        <p class={state === "failed" ? "error" : "quiet"} role="status"><Standing upload={upload} /></p>
        {state === "sending" && <progress max={upload.file.size || 1} value={upload.sent.value} aria-label={name} />}
      </div>
      <button type="button" aria-label={title} onClick={act}>{label}</button>
    </Row>
  );
}

/** Says how an upload stands. Screen readers hear of changes, but not of each percent. */
function Standing({ upload }: { upload: Upload }) {
  const problem = upload.problem.value;
  const left = useCountdown(useMemo(() => ({ seconds: problem?.retryAfter ?? 0 }), [problem]));
  switch (upload.state.value) {
    case "sending":
      if (problem) return <>{problem.code === "rate_limited" ? t().uploads.many : sentence(problem)} {left > 0 && t().uploads.paused(left)}</>;
      if (upload.sent.value >= upload.file.size) return <>{t().uploads.storing}</>;
      return <span aria-hidden="true">{t().uploads.sending(size(upload.sent.value), size(upload.file.size))}</span>;
    case "exists":
      return <>{t().uploads.exists}</>;
    case "failed":
      return <>{problem && sentence(problem)}</>;
    case "cancelled":
      return <>{t().uploads.cancelled}</>;
    default:
      return <>{t().uploads.waiting}</>;
  }
}
