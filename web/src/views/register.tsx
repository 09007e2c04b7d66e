import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ok, open } from "../api";
import { problemOf } from "../problem";
import { registration, useRegistration } from "../registration";
import { to } from "../route";
import { t } from "../texts";
import { Field, Form, Submit } from "../ui/form";
import { Card } from "../ui/page";
import { SendLink } from "../ui/sendlink";
import { signIn } from "./signin";

/** The reasons why strangers can create no account, by who can. */
const refusals = { invite: "invitation_required", closed: "registration_closed" } as const;
type Refused = keyof typeof refusals;

/** Creates an account and signs in with it, unless its address must be confirmed first. */
export function Register() {
  const [mailTo, setMailTo] = useState<string | null>(null);
  const rule = useRegistration();
  if (mailTo) return <MailSent text={t().mailSent.verify(mailTo)}><SendLink email={mailTo} /></MailSent>;
  if (rule && rule !== "open") return <Closed by={rule} />;
  return (
    <Card title={t().register.title}>
      <Form
        action={async ({ email, password, full_name }) => {
          await ok(open.POST("/api/auth/register", { body: { email: email!, password: password!, full_name: full_name! } }));
          await signIn(email!, password!).catch((error: unknown) => {
            // Where registrations reveal nothing, the account may be somebody else's.
            if (!["email_unverified", "incorrect_credentials"].includes(problemOf(error).code)) throw error;
            setMailTo(email!);
          });
        }}
        onProblem={({ code }) => {
          const refused = (Object.keys(refusals) as Refused[]).find((rule) => refusals[rule] === code);
          if (refused) registration.value = refused;
          return !!refused;
        }}
      >
        <Field name="full_name" label={t().fullName} optional autocomplete="name" />
        <Field name="email" label={t().email} type="email" autocomplete="username" />
        <Field name="password" label={t().password} type="password" autocomplete="new-password" hint={t().newPasswordHint} />
        <Submit>{t().register.button}</Submit>
      </Form>
      <p class="links"><span>{t().register.haveAccount} <a href={to()}>{t().register.signIn}</a></span></p>
    </Card>
  );
}

/** Asks for the mail with which a forgotten password is replaced. */
export function Forgot() {
  const [mailTo, setMailTo] = useState<string | null>(null);
  if (mailTo) return <MailSent text={t().mailSent.reset(mailTo)} />;
  return (
    <Card title={t().forgot.title}>
      <p>{t().forgot.intro}</p>
      <Form
        action={async ({ email }) => {
          await ok(open.POST("/api/auth/forgot-password", { body: { email: email! } }));
          setMailTo(email!);
        }}
      >
        <Field name="email" label={t().email} type="email" autocomplete="username" />
        <Submit>{t().forgot.button}</Submit>
      </Form>
      <p class="links"><a href={to()}>{t().mailSent.back}</a></p>
    </Card>
  );
}

const MailSent = ({ text, children }: { text: string; children?: ComponentChildren }) => (
  <Card title={t().mailSent.title}>
    <p>{text}</p>
    <p class="quiet">{t().mailSent.nothing}</p>
    {children}
    <p class="links"><a href={to()}>{t().mailSent.back}</a></p>
  </Card>
);

/** Says that and why there are no new accounts. */
const Closed = ({ by }: { by: Refused }) => (
  <Card title={t().register.closed[by]}>
    <p>{t().problems[refusals[by]]}</p>
    <p class="links"><a href={to()}>{t().mailSent.back}</a></p>
  </Card>
);
