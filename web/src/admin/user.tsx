import { useState } from "preact/hooks";
import { api, ok } from "../api";
import { problemOf } from "../problem";
import { to, toQuery } from "../route";
import { changed } from "../session";
import { t, time } from "../texts";
import { Field, Form, Submit } from "../ui/form";
import { useLoad } from "../ui/load";
import { Loading, Note, Trouble } from "../ui/message";
import { Reveal, Section, Title } from "../ui/page";
import { Tag } from "../ui/tag";
import { Access } from "./access";
import { isMe, nameOf, stateOf, type User } from "./people";
import { accountOf, Space } from "./space";
import { a } from "./texts";

/** Everything about one user, and what an administrator can do. */
export function One({ id, deleted }: { id: string; deleted: (name: string) => void }) {
  const { data, problem, reload } = useLoad(() => ok(api.GET("/api/users/{id}", { params: { path: { id } } })));
  const storage = useLoad(() => accountOf(id));
  /** Reads everything again: the storage follows what becomes of the user. */
  const both = async () => void (await Promise.all([reload(), storage.reload()]));
  const back = <p class="back"><a href={to("admin", "users")}>{a().user.all}</a></p>;
  if (problem?.status === 404) return <>{back}<Title>{a().user.title}</Title><p class="message">{a().user.gone}</p></>;
  return (
    <>
      {back}
      {problem && <Trouble problem={problem} retry={reload} />}
      {!data && !problem && <Loading />}
      {data && (
        <>
          <Title>{nameOf(data)}</Title>
          <About user={data} reload={both} />
          <Access user={data} account={storage.data?.account ?? null} reload={both} deleted={() => deleted(nameOf(data))} />
          <Space {...storage} />
        </>
      )}
    </>
  );
}

function About({ user, reload }: { user: User; reload: () => Promise<void> }) {
  const [note, setNote] = useState("");
  const texts = a().user;
  const state = stateOf(user);
  return (
    <Section title={texts.about}>
      <dl class="facts">
        <dt>{t().email}</dt>
        <dd>
          {user.email} {user.disabled && !user.email_verified_at && <Tag>{t().account.unverified}</Tag>}
          {user.pending_email && <p class="quiet">{texts.pending(user.pending_email)}</p>}
        </dd>
        <dt>{a().users.state}</dt>
        <dd><Tag tone={state.tone}>{state.text}</Tag></dd>
        <dt>{a().users.role}</dt>
        <dd>{a().users.roles[user.role]}{isMe(user) && <> <Tag>{texts.you}</Tag></>}</dd>
        <dt>{a().users.lastLogin}</dt>
        <dd>{user.last_login ? time(user.last_login) : a().users.never}</dd>
        <dt>{texts.since}</dt>
        <dd>{time(user.created_at)}</dd>
      </dl>
      <p><a href={toQuery(to("admin", "trail"), { user: user.id })}>{a().trail.ofUser}</a></p>
      <Reveal key={user.updated_at} label={texts.rename}>
        <Form
          action={async ({ full_name }) => {
            const next = await ok(api.PATCH("/api/users/{id}", { params: { path: { id: user.id } }, body: { full_name: full_name!.trim() } }))
              .catch(async (error) => {
                if (problemOf(error).status === 404) await reload();
                throw error;
              });
            if (isMe(next)) changed(next);
            setNote(t().saved);
            await reload();
          }}
        >
          <Field name="full_name" label={t().fullName} optional autocomplete="off" defaultValue={user.full_name} />
          <Submit>{t().save}</Submit>
        </Form>
      </Reveal>
      <Note>{note}</Note>
    </Section>
  );
}
