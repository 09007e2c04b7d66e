import { useState } from "preact/hooks";
import { t } from "../texts";

/** A value that is copied into another program. */
export function Value({ label, children }: { label: string; children: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div class="value">
      <span class="quiet">{label}</span>
      <code>{children}</code>
      <button
        type="button" class="plain" aria-label={`${t().apps.copy}: ${label}`}
        onClick={() => navigator.clipboard.writeText(children).then(() => setCopied(true))}
      >
        {t().apps.copy}
      </button>
      <span role="status">{copied && t().apps.copied}</span>
    </div>
  );
}
