import { useEffect, useState } from "preact/hooks";
import { size, t } from "../texts";
import { sentence } from "../ui/message";
import { active, again, cancel, clear, uploads, type Upload } from "../uploads";

/** The files that are being uploaded, and those that were. */
export function Uploads() {
  if (uploads.value.length === 0) return null;
  return (
    <section class="uploads" aria-label={t().uploads.title}>
      <ul class="rows">{uploads.value.map((upload) => <Row key={upload} upload={upload} />)}</ul>
      {!uploads.value.some(active) && <button type="button" class="plain" onClick={clear}>{t().uploads.clear}</button>}
    </section>
  );
}

function Row({ upload }: { upload: Upload }) {
  const { name } = upload.file;
  const state = upload.state.value;
  return (
    <li>
      <div>
        <strong>{name}</strong>
        <p class={state === "failed" ? "error" : "quiet"} role="status"><Standing upload={upload} /></p>
        {state === "sending" && <progress max={upload.file.size || 1} value={upload.sent.value} aria-label={name} />}
      </div>
      {active(upload) && <button type="button" aria-label={t().uploads.cancelOf(name)} onClick={() => cancel(upload)}>{t().cancel}</button>}
      {state === "exists" && (
        <button type="button" aria-label={t().uploads.replaceOf(name)} onClick={() => again(upload, true)}>{t().uploads.replace}</button>
      )}
      {(state === "failed" || state === "cancelled") && (
        <button type="button" aria-label={t().uploads.retryOf(name)} onClick={() => again(upload)}>{t().retry}</button>
      )}
    </li>
  );
}

/** Says how an upload stands. Screen readers hear of changes, but not of each percent. */
function Standing({ upload }: { upload: Upload }) {
  const problem = upload.problem.value;
  const [left, setLeft] = useState(0);
  useEffect(() => {
    setLeft(problem?.retryAfter ?? 0);
    const timer = setInterval(() => setLeft((n) => Math.max(0, n - 1)), 1000);
    return () => clearInterval(timer);
  }, [problem]);
  switch (upload.state.value) {
    case "sending":
      if (problem) return <>{sentence(problem)} {left > 0 && t().uploads.paused(left)}</>;
      if (upload.sent.value >= upload.file.size) return <>{t().uploads.storing}</>;
      return <span aria-hidden="true">{t().uploads.sending(size(upload.sent.value), size(upload.file.size))}</span>;
    case "exists":
      return <>{t().uploads.exists}</>;
    case "failed":
      return <>{problem && sentence(problem)}</>;
    default:
      return <>{t().uploads[upload.state.value]}</>;
  }
}
