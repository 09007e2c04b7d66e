import { useState } from "preact/hooks";
import { ok, open, type Schemas } from "../api";
import { useRegistration } from "../registration";
import { to } from "../route";
import { ended, enter } from "../session";
import { t } from "../texts";
import { CodeField, Field, Form, Submit } from "../ui/form";
import { Card } from "../ui/page";
import { SendLink } from "../ui/sendlink";

/** Signs in with the password, and then with a code if the account has a second factor. */
export function SignIn() {
  const [challenge, setChallenge] = useState<string | null>(null);
  return challenge ? <Code challenge={challenge} leave={() => setChallenge(null)} /> : <Password challenged={setChallenge} />;
}

/** Signs in, and returns the challenge of the second factor if the account has one. */
export async function signIn(email: string, password: string): Promise<string | null> {
  const answer = await ok(open.POST("/api/auth/login", { body: { email, password, transport: "cookie" } }));
  if ("requires_2fa" in answer) return answer.user_id;
  await enter(answer as Schemas["TokenPair"]);
  return null;
}

function Password({ challenged }: { challenged: (challenge: string) => void }) {
  const [unverified, setUnverified] = useState<string | null>(null);
  const rule = useRegistration() ?? "open";
  return (
    <Card title={t().signIn.title}>
      {ended.value && <p class="message" role="status">{t().signIn[ended.value]}</p>}
      {unverified && (
        <div class="message">
          <p role="alert">{t().signIn.unverified}</p>
          <SendLink email={unverified} />
        </div>
      )}
      <Form
        action={async (values) => {
          setUnverified(null);
          const challenge = await signIn(values.email!, values.password!).catch((problem) => {
            if (problem.code === "email_unverified") setUnverified(values.email!);
            throw problem;
          });
          if (challenge) challenged(challenge);
        }}
        onProblem={(problem) => problem.code === "email_unverified"}
      >
        <Field name="email" label={t().email} type="email" autocomplete="username" />
        <Field name="password" label={t().password} type="password" autocomplete="current-password" />
        <Submit>{t().signIn.button}</Submit>
      </Form>
      <p class="links">
        <span><a href={to("forgot")}>{t().signIn.forgot}</a></span>
        {rule === "open" ? (
          <span>{t().signIn.noAccount} <a href={to("register")}>{t().signIn.register}</a></span>
        ) : (
          <span class="quiet">{t().signIn.closed[rule]}</span>
        )}
      </p>
    </Card>
  );
}

function Code({ challenge, leave }: { challenge: string; leave: () => void }) {
  return (
    <Card title={t().code.title}>
      <p>{t().code.intro}</p>
      <Form
        action={async (values) => {
          const code = values.code!.trim();
          await enter(await ok(open.POST("/api/auth/2fa/verify-login", { body: { user_id: challenge, code, transport: "cookie" } })));
        }}
      >
        <CodeField label={t().code.label} />
        <Submit>{t().code.button}</Submit>
      </Form>
      <p class="links"><button type="button" class="plain" onClick={leave}>{t().code.back}</button></p>
    </Card>
  );
}
