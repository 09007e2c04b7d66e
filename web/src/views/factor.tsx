import { useEffect, useMemo, useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import { problemOf } from "../problem";
import { save } from "../save";
import { t, time } from "../texts";
import { CodeField, Field, Form, Submit } from "../ui/form";
import { useLoad } from "../ui/load";
import { Loading, Note, Trouble } from "../ui/message";
import { Reveal, Section } from "../ui/page";

type Status = Schemas["SecondFactorStatus"];
type Enrollment = Schemas["SecondFactorEnrollment"];

export function SecondFactor() {
  const { data, problem, reload } = useLoad(() => ok(api.GET("/api/auth/2fa/status")));
  const [codes, setCodes] = useState<string[] | null>(null);
  const [note, setNote] = useState("");
  /** Shows what has changed, with the backup codes if there are new ones. */
  async function done(text: string, backup: string[] | null) {
    setNote(text);
    setCodes(backup);
    await reload();
  }
  return (
    <Section title={t().factor.title} intro={t().factor.intro}>
      <Note>{note}</Note>
      {problem ? <Trouble problem={problem} retry={reload} /> : !data && <Loading />}
      {codes && <Codes codes={codes} close={() => setCodes(null)} />}
      {data && !codes && (data.enabled ? <Enabled status={data} done={done} /> : <SetUp done={done} />)}
    </Section>
  );
}

type Done = { done: (text: string, backup: string[] | null) => Promise<void> };

/** Asks for the password if the login is old, shows the key, and checks a first code. */
function SetUp({ done }: Done) {
  const [enrollment, setEnrollment] = useState<Enrollment | null>(null);
  const [asks, setAsks] = useState(false);
  async function begin(password?: string) {
    const body = password === undefined ? {} : { current_password: password };
    setEnrollment(await ok(api.POST("/api/auth/2fa/setup", { body })));
  }
  if (enrollment) {
    return (
      <>
        <p>{t().factor.scan}</p>
        <Picture base64={enrollment.qr_code} />
        <p>{t().factor.manual} <code>{enrollment.manual_entry_key}</code></p>
        <Form
          action={async ({ code }) => {
            await ok(api.POST("/api/auth/2fa/verify", { body: { code: code!.trim() } }));
            await done(t().factor.isOn, enrollment.backup_codes);
          }}
        >
          <p>{t().factor.confirm}</p>
          <CodeField label={t().factor.code} />
          <Submit>{t().factor.turnOn}</Submit>
        </Form>
      </>
    );
  }
  return (
    <Form
      action={async ({ current_password }) => {
        await begin(asks ? current_password : undefined).catch((error) => {
          if (problemOf(error).code !== "reauthentication_required") throw error;
          setAsks(true);
        });
      }}
    >
      {asks && <p>{t().factor.again}</p>}
      {asks && <Field name="current_password" label={t().account.currentPassword} type="password" autocomplete="current-password" />}
      <Submit>{asks ? t().factor.proceed : t().factor.setUp}</Submit>
    </Form>
  );
}

/** A picture that the gateway sent in base64. The policy of the page allows no data: address. */
function Picture({ base64 }: { base64: string }) {
  const url = useMemo(() => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    return URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  }, [base64]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return <img class="qr" src={url} alt={t().factor.picture} />;
}

function Codes({ codes, close }: { codes: string[]; close: () => void }) {
  const download = () => save(new Blob([codes.join("\n") + "\n"], { type: "text/plain" }), t().factor.file);
  return (
    <>
      <h3>{t().factor.codes}</h3>
      <p>{t().factor.codesIntro}</p>
      <ul class="codes">{codes.map((code) => <li key={code}><code>{code}</code></li>)}</ul>
      <div class="tools">
        <button type="button" onClick={download}>{t().factor.download}</button>
        <button type="button" class="main" onClick={close}>{t().factor.kept}</button>
      </div>
    </>
  );
}

function Enabled({ status, done }: { status: Status } & Done) {
  return (
    <>
      <p>
        <span class="tag good">{t().factor.on}</span> {status.verified_at && t().factor.since(time(status.verified_at))}{" "}
        {t().factor.left(status.backup_codes_remaining)}
      </p>
      <div class="tools">
        <Reveal label={t().factor.newCodes}>
          <Form
            action={async ({ code }) => {
              const { backup_codes } = await ok(api.POST("/api/auth/2fa/backup-codes", { body: { code: code!.trim() } }));
              await done("", backup_codes);
            }}
          >
            <p>{t().factor.newCodesIntro}</p>
            <CodeField label={t().code.label} />
            <Submit>{t().factor.newCodes}</Submit>
          </Form>
        </Reveal>
        <Reveal label={t().factor.turnOff}>
          <Form
            action={async ({ current_password, code }) => {
              const body = { current_password: current_password!, code: code!.trim() };
              await ok(api.POST("/api/auth/2fa/disable", { body }));
              await done(t().factor.isOff, null);
            }}
          >
            <Field name="current_password" label={t().account.currentPassword} type="password" autocomplete="current-password" />
            <CodeField label={t().code.label} />
            <Submit danger>{t().factor.turnOff}</Submit>
          </Form>
        </Reveal>
      </div>
    </>
  );
}
