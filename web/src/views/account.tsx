import { useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import { changed, user } from "../session";
import { language, languageNames, t, use } from "../texts";
import { Check, Field, Form, Submit } from "../ui/form";
import { Note } from "../ui/message";
import { Reveal, Section, Title } from "../ui/page";
import { ProofCode, useSecondFactor } from "../ui/proof";
import { SendLink } from "../ui/sendlink";
import { Deletion } from "./deletion";
import { Nextcloud, useStanding } from "./storage";

export function Account() {
  const storage = useStanding();
  return (
    <>
      <Title>{t().account.title}</Title>
      <Profile me={user.value!} />
      <Address me={user.value!} />
      <Nextcloud {...storage} />
      <Deletion standing={storage.data} />
    </>
  );
}

function Profile({ me }: { me: Schemas["User"] }) {
  const [saved, setSaved] = useState(false);
  return (
    <Section title={t().account.profile}>
      <Form
        action={async ({ full_name, language: tag, notices }) => {
          setSaved(false);
          // Others may have changed other preferences, which the new ones replace.
          const { preferences } = await ok(api.GET("/api/users/me"));
          const chosen = { ...preferences, language: tag, notices: notices === "on" };
          const next = await ok(api.PATCH("/api/users/me", { body: { full_name: full_name!, preferences: chosen } }));
          use(tag!);
          changed(next);
          setSaved(true);
        }}
      >
        <Field name="full_name" label={t().fullName} optional autocomplete="name" defaultValue={me.full_name} />
        <div class="field">
          <label for="language">{t().account.language}</label>
          <select id="language" name="language" aria-describedby="language-hint">
            {Object.entries(languageNames).map(([tag, name]) => <option key={tag} value={tag} lang={tag} selected={tag === language.value}>{name}</option>)}
          </select>
          <p class="hint" id="language-hint">{t().account.languageHint}</p>
        </div>
        <Check name="notices" label={t().account.notices} defaultChecked={me.preferences.notices !== false} />
        <Submit>{t().save}</Submit>
        <Note>{saved && t().saved}</Note>
      </Form>
    </Section>
  );
}

function Address({ me }: { me: Schemas["User"] }) {
  const [note, setNote] = useState("");
  const [round, setRound] = useState(0); // a new form after each success
  const factor = useSecondFactor();
  const waiting = me.pending_email || !me.email_verified_at;
  return (
    <Section title={t().account.address} intro={t().account.addressIntro(me.email)}>
      <p>
        <span class={me.email_verified_at ? "tag good" : "tag"}>
          {me.email_verified_at ? t().account.verified : t().account.unverified}
        </span>
      </p>
      <div role="status">{me.pending_email && <p class="message">{t().account.pending(me.pending_email)}</p>}</div>
      {waiting && <SendLink email={me.pending_email ?? me.email} label={t().account.sendLink} />}
      <Reveal key={round} label={t().account.changeAddress}>
        <Form
          action={async ({ email, current_password, code }) => {
            setNote("");
            const next = await ok(api.PATCH("/api/users/me", { body: { email: email!, current_password: current_password!, ...(code && { code }) } }));
            changed(next);
            if (!next.pending_email) setNote(t().account.addressChanged);
            setRound(round + 1);
          }}
        >
          <Field name="email" label={t().account.newAddress} type="email" autocomplete="email" />
          <Field name="current_password" label={t().account.currentPassword} type="password" autocomplete="current-password" />
          <ProofCode factor={factor} />
          <Submit>{t().account.changeAddress}</Submit>
        </Form>
      </Reveal>
      <Note>{note}</Note>
    </Section>
  );
}
