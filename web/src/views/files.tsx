import { type Dispatch, type StateUpdater, useEffect, useRef, useState } from "preact/hooks";
import { download } from "../downloads";
import { dropped } from "../dropped";
import { createFolder, folderPath, list, preview, type Entry } from "../files";
import { route, to } from "../route";
import { isolated, size, t, time } from "../texts";
import { Dialog } from "../ui/dialog";
import { Field, Form, Submit } from "../ui/form";
import { Icon } from "../ui/icon";
import { useLoad } from "../ui/load";
import { Loading, Note, Trouble } from "../ui/message";
import { Title } from "../ui/page";
import { add, arrived } from "../uploads";
import { Downloads } from "./downloads";
import { Preview, Remove, Rename, Relocate } from "./file";
import { Nextcloud, NotReady, Quota, useStanding } from "./storage";
import { Uploads } from "./uploads";

type Question = { kind: "actions" | "preview" | "rename" | "move" | "remove"; entry: Entry } | { kind: "folder" } | null;

export function Files() {
  const parts = route.value.slice(1).filter(Boolean);
  const folder = folderPath(parts);
  const standing = useStanding();
  const entries = useLoad(() => list(folder), [folder]);
  const [question, ask] = useState<Question>(null);
  const [note, setNote] = useState("");
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => {
    if (arrived.value > 0) void Promise.all([entries.reload(), standing.reload()]);
  }, [arrived.value]);
  useEffect(() => {
    if (standing.data?.status === "active" && entries.problem?.code === "storage_not_ready") void entries.reload();
  }, [standing.data]);
  useEffect(() => setNote(""), [folder]);

  /** Shows what an action has done. */
  function done(text: string) {
    ask(null);
    setNote(text);
    void entries.reload();
  }
  function fetch(entry: Entry) {
    ask(null);
    setNote("");
    download(entry);
  }

  async function claimed() {
    await Promise.all([standing.reload(), entries.reload()]);
    setNote(t().storage.claimed);
  }

  const unusable = standing.data && !(standing.data.url && ["active", "pending"].includes(standing.data.status));
  if (unusable) {
    return (
      <>
        <Title>{t().files.title}</Title>
        {standing.data!.url ? <Nextcloud {...standing} claimed={claimed} /> : <p class="message">{t().storage.none}</p>}
      </>
    );
  }
  return (
    <DropZone folder={folder} refuse={() => setNote(t().files.unreadable)}>
      <div class="head">
        <Title>{t().files.title}</Title>
        <div class="tools">
          <button type="button" class="main" onClick={() => input.current!.click()}>{t().files.upload}</button>
          <button type="button" onClick={() => ask({ kind: "folder" })}>{t().files.newFolder}</button>
          <input
            ref={input} type="file" multiple hidden aria-label={t().files.upload}
            onChange={() => {
              add(folder, Array.from(input.current!.files!, (file) => ({ file, path: file.name })));
              input.current!.value = "";
            }}
          />
        </div>
      </div>
      <Quota quota={standing.data?.quota ?? null} />
      <Uploads />
      <Downloads />
      <Note>{note}</Note>
      <section class="listing">
        <Path parts={parts} />
        {entries.problem
          ? entries.problem.code === "storage_not_ready" && standing.data
            ? <NotReady standing={standing.data} problem={entries.problem} retry={entries.reload} />
            : <Trouble problem={entries.problem} retry={entries.reload} />
          : !entries.data && <Loading />}
        {entries.data?.length === 0 && <p class="empty">{t().files.empty}<br /><span class="quiet">{t().files.emptyHint}</span></p>}
        {entries.data && entries.data.length > 0 && <Table key={folder} entries={entries.data} parts={parts} ask={ask} />}
      </section>
      <Answer question={question} folder={folder} entries={entries.data ?? []} ask={ask} done={done} download={fetch} />
    </DropZone>
  );
}

/** The folder and those around it. */
function Path({ parts }: { parts: string[] }) {
  return (
    <nav class="path" aria-label={t().files.path}>
      <ol>
        {["", ...parts].map((part, i) => (
          <li key={i}>
            <a href={to("files", ...parts.slice(0, i))} aria-current={i === parts.length ? "page" : undefined}><bdi>{part || t().files.home}</bdi></a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

const step = 200; // rows

function Table({ entries, parts, ask }: { entries: Entry[]; parts: string[]; ask: (question: Question) => void }) {
  const [shown, setShown] = useState(step);
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">{t().files.name}</th>
            <th scope="col" class="number">{t().files.size}</th>
            <th scope="col" class="when">{t().files.changed}</th>
            <th scope="col"><span class="unseen">{t().files.actions}</span></th>
          </tr>
        </thead>
        <tbody>
          {entries.slice(0, shown).map((entry) => (
            <tr key={entry.name}>
              <td>
                <span class="entry">
                  <Icon name={entry.type} />
                  <span>
                    {entry.type === "folder"
                      ? <a href={to("files", ...parts, entry.name)}><bdi>{entry.name}</bdi></a>
                      : <button type="button" class="plain" onClick={() => ask({ kind: preview(entry) ? "preview" : "actions", entry })}><bdi>{entry.name}</bdi></button>}
                    {entry.type === "file" && <span class="detail">{size(entry.size)}</span>}
                  </span>
                </span>
              </td>
              <td class="number">{entry.type === "file" ? size(entry.size) : ""}</td>
              <td class="when">{entry.modified_at && time(entry.modified_at)}</td>
              <td class="more">
                <button type="button" aria-label={t().files.actionsOf(entry.name)} aria-haspopup="dialog" onClick={() => ask({ kind: "actions", entry })}>
                  <Icon name="more" />
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {entries.length > shown && <button type="button" class="further" onClick={() => setShown(shown + step)}>{t().more}</button>}
    </>
  );
}

interface AnswerProps {
  question: Question;
  folder: string;
  entries: Entry[];
  ask: Dispatch<StateUpdater<Question>>;
  done: (note: string) => void;
  download: (entry: Entry) => void;
}

/** The dialog for the question. */
function Answer({ question, folder, entries, ask, done, download }: AnswerProps) {
  // A dialog tells a moment later that it was closed, when another may be open.
  const close = () => ask((now) => (now === question ? null : now));
  switch (question?.kind) {
    case undefined:
      return null;
    case "folder":
      return (
        <Dialog title={t().files.newFolder} close={close}>
          <Form
            action={async ({ name }) => {
              await createFolder(folder, name!.trim(), entries);
              done(t().files.created(isolated(name!.trim())));
            }}
          >
            <Field name="name" label={t().files.folderName} autocomplete="off" />
            <Submit>{t().files.create}</Submit>
          </Form>
        </Dialog>
      );
    case "actions":
      return (
        <Dialog key="actions" title={isolated(question.entry.name)} close={close}>
          <div class="choices">
            {question.entry.type === "file" && (
              <>
                {preview(question.entry)
                  ? <button type="button" onClick={() => ask({ kind: "preview", entry: question.entry })}>{t().files.show}</button>
                  : <p class="quiet">{t().files.noPreview}</p>}
                <button type="button" onClick={() => download(question.entry)}>{t().files.download}</button>
              </>
            )}
            <button type="button" onClick={() => ask({ kind: "rename", entry: question.entry })}>{t().files.rename}</button>
            <button type="button" onClick={() => ask({ kind: "move", entry: question.entry })}>{t().files.move}</button>
            <button type="button" class="danger" onClick={() => ask({ kind: "remove", entry: question.entry })}>{t().files.remove}</button>
          </div>
        </Dialog>
      );
    case "preview":
      return <Preview key="preview" entry={question.entry} close={close} download={() => download(question.entry)} />;
    case "rename":
      return <Rename key="rename" entry={question.entry} folder={folder} close={close} done={done} />;
    case "move":
      return <Relocate key="move" entry={question.entry} folder={folder} close={close} done={done} />;
    case "remove":
      return <Remove key="remove" entry={question.entry} close={close} done={done} />;
  }
}

/** Uploads what is dropped anywhere in the window. */
function DropZone({ folder, refuse, children }: { folder: string; refuse: () => void; children: preact.ComponentChildren }) {
  const [over, setOver] = useState(0); // elements below the pointer that have said so
  useEffect(() => {
    const ends = new AbortController();
    const on = (type: "dragenter" | "dragleave" | "dragover" | "drop", act: (event: DragEvent) => void) =>
      addEventListener(type, (event) => event.dataTransfer?.types.includes("Files") && act(event), { signal: ends.signal });
    on("dragenter", () => setOver((n) => n + 1));
    on("dragleave", () => setOver((n) => Math.max(0, n - 1)));
    on("dragover", (event) => event.preventDefault());
    on("drop", (event) => {
      event.preventDefault();
      setOver(0);
      dropped(event.dataTransfer!).then((files) => add(folder, files), refuse);
    });
    return () => ends.abort();
  }, [folder]);
  return <div class={over > 0 ? "drop over" : "drop"} data-hint={t().files.drop}>{children}</div>;
}
