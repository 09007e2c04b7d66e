import { useState } from "preact/hooks";
import { ok, open } from "../api";
import { problemOf, type Problem } from "../problem";
import { t } from "../texts";
import { Note, sentence, useCountdown } from "./message";

const pause = 60; // seconds until somebody may ask for another mail

/** Sends the link again that confirms an address, once in a while. */
export function SendLink({ email, label = t().mailSent.again }: { email: string; label?: string }) {
  const [wait, setWait] = useState({ seconds: 0 });
  const [sent, setSent] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const left = useCountdown(wait);
  async function send() {
    if (left > 0) return;
    setSent(false);
    setProblem(null);
    setWait({ seconds: pause });
    try {
      await ok(open.POST("/api/auth/request-verify-token", { body: { email } }));
      setSent(true);
    } catch (error) {
      const refused = problemOf(error);
      setProblem(refused);
      setWait({ seconds: refused.retryAfter });
    }
  }
  return (
    <div class="sendlink">
      <button type="button" class="plain" aria-disabled={left > 0} onClick={send}>{label}</button>
      {left > 0 && <span class="quiet">{t().mailSent.againIn(left)}</span>}
      {problem && <p class="error" role="alert">{sentence(problem)}</p>}
      <Note>{sent && t().account.linkSent}</Note>
    </div>
  );
}
