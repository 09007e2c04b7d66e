import { useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import { t, time } from "../texts";
import { Field, Form, Submit } from "../ui/form";
import { useLoad } from "../ui/load";
import { Loading, Trouble } from "../ui/message";
import { Reveal, Section, Title } from "../ui/page";
import { ProofCode, useSecondFactor } from "../ui/proof";
import { QR } from "../ui/qr";
import { Rows } from "../ui/rows";
import { Value } from "../ui/value";
import { Keys } from "./keys";

export function Apps() {
  const factor = useSecondFactor();
  return (
    <>
      <Title>{t().apps.title}</Title>
      <Passwords factor={factor} />
      <Keys factor={factor} />
    </>
  );
}

function Passwords({ factor }: { factor: ReturnType<typeof useSecondFactor> }) {
  const { data, problem, reload } = useLoad(() => ok(api.GET("/api/users/me/nextcloud/app-passwords")));
  const [issued, setIssued] = useState<Schemas["IssuedAppPassword"] | null>(null);
  if (problem?.code === "nextcloud_disabled") return null;
  return (
    <Section title={t().apps.passwords} intro={t().apps.passwordsIntro}>
      {problem ? <Trouble problem={problem} retry={reload} /> : !data && <Loading />}
      {issued && <Issued password={issued} />}
      {data && (
        <>
          <Rows
            items={data} warning={t().apps.endPassword} about={(item) => t().apps.created(time(item.created_at))} reload={reload}
            remove={(id) => ok(api.DELETE("/api/users/me/nextcloud/app-passwords/{id}", { params: { path: { id } } }))}
          />
          <Reveal key={issued?.id} label={t().apps.add}>
            <Form
              action={async ({ name, current_password, code }) => {
                const body = { name: name!.trim(), current_password: current_password!, ...(code && { code: code.trim() }) };
                setIssued(await ok(api.POST("/api/users/me/nextcloud/app-password", { body })));
                await reload();
              }}
            >
              <Field name="name" label={t().apps.name} hint={t().apps.nameHint} autocomplete="off" />
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

/** A new app password, which no other call shows. */
function Issued({ password }: { password: Schemas["IssuedAppPassword"] }) {
  const server = password.webdav_url.replace(/\/remote\.php\/.*$/, "");
  return (
    <div class="issued" role="group" aria-label={t().apps.shown(password.name)}>
      <h3>{t().apps.shown(password.name)}</h3>
      <p>{t().apps.scan}</p>
      <QR text={`nc://login/user:${password.user_id}&password:${password.password}&server:${server}`} label={t().apps.picture} />
      <p>{t().apps.byHand}</p>
      <Value label={t().apps.server}>{server}</Value>
      <Value label={t().apps.user}>{password.user_id}</Value>
      <Value label={t().apps.password}>{password.password}</Value>
      <p class="quiet">{t().apps.once}</p>
    </div>
  );
}
