import { useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import { deviceName } from "../device";
import { problemOf, type Problem } from "../problem";
import { t, time } from "../texts";
import { Row } from "../ui/focus";
import { Field, Form, Submit } from "../ui/form";
import { useLoad } from "../ui/load";
import { Loading, Note, Trouble } from "../ui/message";
import { Reveal, Section, Title } from "../ui/page";
import { SecondFactor } from "./factor";

export function Security() {
  const logins = useLoad(allLogins);
  return (
    <>
      <Title>{t().security.title}</Title>
      <Password changed={logins.reload} />
      <SecondFactor />
      <Devices {...logins} />
    </>
  );
}

function Password({ changed }: { changed: () => void }) {
  const [rounds, setRounds] = useState(0); // a new form after each success
  return (
    <Section title={t().security.password} intro={t().security.changeHint}>
      <Reveal key={rounds} label={t().security.change}>
        <Form
          action={async ({ current_password, new_password }) => {
            const body = { current_password: current_password!, new_password: new_password! };
            await ok(api.POST("/api/users/change-password", { body }));
            setRounds(rounds + 1);
            changed();
          }}
        >
          <Field name="current_password" label={t().security.current} type="password" autocomplete="current-password" />
          <Field name="new_password" label={t().security.next} type="password" autocomplete="new-password" hint={t().newPasswordHint} />
          <Submit>{t().security.change}</Submit>
        </Form>
      </Reveal>
      <Note>{rounds > 0 && t().security.changed}</Note>
    </Section>
  );
}

/** Reads the logins that were used last; there may be more. */
const allLogins = () => ok(api.GET("/api/users/me/logins", { params: { query: { limit: 200 } } }));

type Login = Schemas["Login"];

function Devices({ data, problem, reload }: ReturnType<typeof useLoad<Login[]>>) {
  const [note, setNote] = useState("");
  const [failed, setFailed] = useState<Problem | null>(null);
  async function end(login: Login) {
    setFailed(null);
    try {
      await ok(api.DELETE("/api/users/me/logins/{id}", { params: { path: { id: login.id } } }));
      setNote(t().security.ended(deviceName(login.device)));
      await reload();
    } catch (error) {
      setFailed(problemOf(error));
    }
  }
  return (
    <Section title={t().security.devices} intro={t().security.devicesIntro}>
      <Note>{note}</Note>
      {failed && <Trouble problem={failed} />}
      {problem ? <Trouble problem={problem} retry={reload} /> : !data && <Loading />}
      {data && (
        <ul class="rows">
          {data.toSorted((a, b) => Number(b.current) - Number(a.current) || b.last_used_at.localeCompare(a.last_used_at)).map((login) => (
            <Row key={login.id}>
              <div>
                <strong>{deviceName(login.device)}</strong> {login.current && <span class="tag good">{t().security.thisDevice}</span>}
                <p class="quiet">{t().security.lastUsed(time(login.last_used_at), login.address)}</p>
              </div>
              {!login.current && (
                <button type="button" aria-label={t().security.endOf(deviceName(login.device))} onClick={() => end(login)}>{t().security.end}</button>
              )}
            </Row>
          ))}
        </ul>
      )}
    </Section>
  );
}
