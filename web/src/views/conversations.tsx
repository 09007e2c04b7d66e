import { useEffect, useState } from "preact/hooks";
import { api, ok, page, type Schemas } from "../api";
import { go, route, to } from "../route";
import { isolated, t, time } from "../texts";
import { Ask } from "../ui/ask";
import { Dialog } from "../ui/dialog";
import { Field, Form, Submit } from "../ui/form";
import { useLoad } from "../ui/load";
import { Loading, Note, Trouble } from "../ui/message";
import { Section, Title } from "../ui/page";
import { Paged, usePages } from "../ui/pages";

type Conversation = Schemas["Session"];

/** The conversations that apps have stored, or one of them: #/conversations/ID. */
export function Conversations() {
  const id = route.value[1];
  const [note, setNote] = useState(""); // what was deleted
  useEffect(() => {
    if (id) setNote("");
  }, [id]);
  function removed(title: string) {
    setNote(t().conversations.removed(isolated(title)));
    go("conversations");
  }
  return id ? <One key={id} id={id} removed={removed} /> : <All note={note} />;
}

const perPage = 20; // each comes with what its app has stored, up to 64 KiB

function All({ note }: { note: string }) {
  const list = usePages((cursor) => page(api.GET("/api/sessions", { params: { query: { limit: perPage, cursor } } })));
  const empty = <p class="empty">{t().conversations.empty}<br /><span class="quiet">{t().conversations.emptyHint}</span></p>;
  return (
    <>
      <Title>{t().conversations.title}</Title>
      <Note>{note}</Note>
      <section>
        <Paged list={list} empty={empty}>
          {(items) => (
            <>
              <p class="quiet">{t().conversations.intro}</p>
              <ul class="rows">
                {items.map((each) => (
                  <li key={each.id}>
                    <div><a class="entry" href={to("conversations", each.id)}><bdi>{each.title}</bdi></a></div>
                    <p class="quiet">{t().conversations.changed(time(each.updated_at))}</p>
                  </li>
                ))}
              </ul>
            </>
          )}
        </Paged>
      </section>
    </>
  );
}

function One({ id, removed }: { id: string; removed: (title: string) => void }) {
  const params = { params: { path: { id } } };
  const { data, problem, reload } = useLoad(() => ok(api.GET("/api/sessions/{id}", params)));
  const [asks, setAsks] = useState<"rename" | "remove" | null>(null);
  const [note, setNote] = useState("");
  const close = () => setAsks(null);
  const back = <p><a href={to("conversations")}>{t().conversations.back}</a></p>;
  if (problem?.code === "not_found") {
    return <><Title>{t().conversations.title}</Title>{back}<p class="message">{t().conversations.gone}</p></>;
  }
  if (!data) return <>{back}{problem ? <Trouble problem={problem} retry={reload} /> : <Loading />}</>;
  return (
    <>
      {back}
      <div class="head">
        <Title>{data.title}</Title>
        <div class="tools">
          <button type="button" onClick={() => setAsks("rename")}>{t().conversations.rename}</button>
          <button type="button" class="danger" onClick={() => setAsks("remove")}>{t().conversations.remove}</button>
        </div>
      </div>
      <p class="quiet">{t().conversations.times(time(data.created_at), time(data.updated_at))}</p>
      {problem && <Trouble problem={problem} retry={reload} />}
      <Note>{note}</Note>
      <Context of={data} />
      {asks === "rename" && (
        <Dialog title={t().conversations.rename} close={close}>
          <Form
            action={async ({ title }) => {
              const next = await ok(api.PATCH("/api/sessions/{id}", { ...params, body: { title: title! } }));
              close();
              setNote(t().conversations.renamed(isolated(next.title)));
              await reload();
            }}
          >
            <Field name="title" label={t().conversations.newTitle} defaultValue={data.title} autocomplete="off" />
            <Submit>{t().conversations.rename}</Submit>
          </Form>
        </Dialog>
      )}
      {asks === "remove" && (
        <Ask
          title={t().conversations.removeTitle(isolated(data.title))} text={t().conversations.removeText} button={t().conversations.remove} close={close}
          action={async () => {
            await ok(api.DELETE("/api/sessions/{id}", params));
            removed(data.title);
          }}
        />
      )}
    </>
  );
}

/** What the app has stored. Its form is up to the app, so it is shown as it is. */
function Context({ of: { context } }: { of: Conversation }) {
  const empty = Object.keys(context).length === 0;
  return (
    <Section title={t().conversations.context} intro={empty ? t().conversations.nothing : t().conversations.contextIntro}>
      {!empty && <pre class="json" tabIndex={0} role="region" aria-label={t().conversations.context}>{JSON.stringify(context, null, 2)}</pre>}
    </Section>
  );
}
