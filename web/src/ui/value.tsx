import { useRef, useState } from "preact/hooks";
import { t } from "../texts";

/** A value that is copied into another program. */
export function Value({ label, children }: { label: string; children: string }) {
  const [copied, setCopied] = useState(false);
  const code = useRef<HTMLElement>(null);
  async function copy() {
    try {
      await navigator.clipboard.writeText(children);
      setCopied(true);
    } catch {
      getSelection()?.selectAllChildren(code.current!); // the browser does not allow it, or has no clipboard
    }
  }
  return (
    <div class="value">
      <p class="quiet">{label}</p>
      <code ref={code}>{children}</code>
      <button type="button" aria-label={`${t().copy}: ${label}`} onClick={copy}>{copied ? t().copied : t().copy}</button>
      <span class="unseen" role="status">{copied && t().copied}</span>
    </div>
  );
}
