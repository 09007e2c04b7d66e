import { useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import { t, time } from "../texts";
import { Check, Field, FieldError, Form, Submit } from "../ui/form";
import { useLoad } from "../ui/load";
import { Loading, Trouble } from "../ui/message";
import { Reveal, Section } from "../ui/page";
import { ProofCode, type useSecondFactor } from "../ui/proof";
import { Rows } from "../ui/rows";
import { Value } from "../ui/value";

type Scope = Schemas["Scopes"][number];

const lifetimes = [30, 90, 365]; // days

function about(key: Schemas["APIKey"]): string {
  const parts = [`${key.key_prefix}…`, key.scopes.map((scope) => t().apps.scope[scope]).join(", ")];
  parts.push(key.last_used_at ? t().apps.used(time(key.last_used_at)) : t().apps.never);
  if (key.expires_at) parts.push(t().apps.until(time(key.expires_at)));
  return parts.join(" · ");
}

export function Keys({ factor }: { factor: ReturnType<typeof useSecondFactor> }) {
  const { data, problem, reload } = useLoad(() => ok(api.GET("/api/auth/api-keys")));
  const [created, setCreated] = useState<Schemas["CreatedAPIKey"] | null>(null);
  return (
    <Section title={t().apps.keys} intro={t().apps.keysIntro}>
      {problem ? <Trouble problem={problem} retry={reload} /> : !data && <Loading />}
      {created && (
        <div class="issued" role="group" aria-label={created.name}>
          <Value label={t().apps.key}>{created.key}</Value>
          <p class="quiet">{t().apps.keyOnce}</p>
        </div>
      )}
      {data && (
        <>
          <Rows
            items={data} about={about} warning={t().apps.endKey} reload={reload}
            remove={(id) => ok(api.DELETE("/api/auth/api-keys/{id}", { params: { path: { id } } }))}
          />
          <Reveal key={created?.id} label={t().apps.addKey}>
            <Form
              action={async ({ name, current_password, code, days }, all) => {
                const body = {
                  name: name!.trim(), scopes: all.getAll("scopes") as Scope[], current_password: current_password!,
                  ...(code && { code: code.trim() }), ...(days && { expires_in_days: Number(days) }),
                };
                setCreated(await ok(api.POST("/api/auth/api-keys", { body })));
                await reload();
              }}
            >
              <Field name="name" label={t().apps.keyName} autocomplete="off" />
              <fieldset>
                <legend>{t().apps.scopes}</legend>
                {(Object.keys(t().apps.scope) as Scope[]).map((scope) => <Check key={scope} name="scopes" value={scope} label={t().apps.scope[scope]} />)}
                <FieldError name="scopes" />
              </fieldset>
              <div class="field">
                <label for="days">{t().apps.expires}</label>
                <select id="days" name="days">
                  {lifetimes.map((n) => <option key={n} value={n} selected={n === 90}>{t().apps.days(n)}</option>)}
                  <option value="">{t().apps.forever}</option>
                </select>
              </div>
              <Field name="current_password" label={t().account.currentPassword} type="password" autocomplete="current-password" />
              <ProofCode factor={factor} />
              <Submit>{t().apps.create}</Submit>
            </Form>
          </Reveal>
        </>
      )}
    </Section>
  );
}
