import { useMemo } from "preact/hooks";
import { active, again, cancel, clear, downloads, type Download } from "../downloads";
import { size, t } from "../texts";
import { Row } from "../ui/focus";
import { sentence, useCountdown } from "../ui/message";
import { Area } from "./uploads";

/** How far the downloads are, and those that need attention. */
export function Downloads() {
  const all = downloads.value;
  if (all.length === 0) return null;
  const done = all.filter((d) => d.state.value === "done");
  const pending = all.filter(active);
  const summary = pending.length > 0 ? t().downloads.progress(done.length, all.length) : t().downloads.over(done.length);
  return (
    <Area label={t().downloads.title}>
      <div class="head">
        <h2>{summary}</h2>
        <div class="tools">
          {pending.length > 1 && <button type="button" onClick={() => cancel(...pending)}>{t().uploads.cancelAll}</button>}
          {pending.length === 0 && <button type="button" onClick={clear}>{t().uploads.clear}</button>}
        </div>
      </div>
      <p class="unseen" role="status">{summary}</p>
      {done.length < all.length && (
        <ul class="rows">{all.filter((d) => !done.includes(d)).map((each) => <One key={each} download={each} />)}</ul>
      )}
    </Area>
  );
}

function One({ download }: { download: Download }) {
  const { entry: { name, size: total } } = download;
  const state = download.state.value;
  // One button, so that it keeps the focus when it becomes another.
  const [label, title, act] = active(download)
    ? [t().cancel, t().downloads.cancelOf(name), () => cancel(download)]
    : [t().downloads.resume, t().downloads.resumeOf(name), () => again(download)];
  return (
    <Row>
      <div>
        <strong><bdi>{name}</bdi></strong>
        <p class={state === "failed" ? "error" : "quiet"} role="status"><Standing of={download} /></p>
        {state === "receiving" && <progress max={total || 1} value={download.received.value} aria-label={name} />}
      </div>
      <button type="button" aria-label={title} onClick={act}>{label}</button>
    </Row>
  );
}

/** Says how a download stands. Screen readers hear of changes, but not of each percent. */
function Standing({ of: { entry, state, received, problem: { value: problem } } }: { of: Download }) {
  const left = useCountdown(useMemo(() => ({ seconds: problem?.retryAfter ?? 0 }), [problem]));
  const progress = t().uploads.sending(size(received.value), size(entry.size));
  switch (state.value) {
    case "receiving":
      if (problem) return <>{sentence(problem)} {left > 0 && t().uploads.paused(left)}</>;
      return <span aria-hidden="true">{progress}</span>;
    case "failed":
      return <>{problem && sentence(problem)}</>;
    case "cancelled":
      return <>{t().uploads.cancelled}, {progress}</>;
    default:
      return <>{t().uploads.waiting}</>;
  }
}
