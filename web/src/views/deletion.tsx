import { useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import { go } from "../route";
import { deleted } from "../session";
import { t } from "../texts";
import { Ask } from "../ui/ask";
import { Field } from "../ui/form";
import { Section } from "../ui/page";
import { ProofCode, useSecondFactor } from "../ui/proof";

/** Deletes the account, after saying what becomes of everything in it. */
export function Deletion({ standing }: { standing: Schemas["NextcloudStanding"] | null }) {
  const [asks, setAsks] = useState(false);
  return (
    <Section title={t().deletion.title} intro={t().deletion.intro}>
      <button type="button" class="danger" aria-haspopup="dialog" onClick={() => setAsks(true)}>{t().deletion.button}</button>
      {asks && <Question standing={standing} close={() => setAsks(false)} />}
    </Section>
  );
}

function Question({ standing, close }: { standing: Schemas["NextcloudStanding"] | null; close: () => void }) {
  const factor = useSecondFactor();
  const { files } = t().deletion;
  // Nobody who does not know should lose files: what is not known yet may be the worst.
  const fate = standing ? standing.on_delete && files[standing.on_delete] : files.unknown;
  return (
    <Ask
      title={t().deletion.question} button={t().deletion.button} close={close}
      text={
        <>
          <ul>
            <li>{t().deletion.devices}</li>
            <li>{t().deletion.conversations}</li>
            {fate && <li>{fate}</li>}
          </ul>
          <p>{t().deletion.final}</p>
        </>
      }
      action={async ({ current_password, code }) => {
        const body = { current_password: current_password!, ...(code && { code: code.trim() }) };
        await ok(api.DELETE("/api/users/me", { body }));
        go();
        deleted();
      }}
    >
      <Field name="current_password" label={t().account.currentPassword} type="password" autocomplete="current-password" />
      <ProofCode factor={factor} />
    </Ask>
  );
}
