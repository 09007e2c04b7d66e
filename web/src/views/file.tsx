// The dialogs about one file or folder.
import { useEffect, useState } from "preact/hooks";
import { list, maxText, move, preview, read, remove, type Entry } from "../files";
import { problemOf, type Problem } from "../problem";
import { isolated, t } from "../texts";
import { Ask } from "../ui/ask";
import { Dialog } from "../ui/dialog";
import { Field, Form, Submit } from "../ui/form";
import { Icon } from "../ui/icon";
import { useLoad } from "../ui/load";
import { Loading, Trouble } from "../ui/message";

interface Props {
  entry: Entry;
  close: () => void;
  done: (note: string) => void;
}

export function Rename({ entry, folder, close, done }: Props & { folder: string }) {
  return (
    <Dialog title={t().files.rename} close={close}>
      <Form
        action={async ({ name }) => {
          await move(entry, folder + name!.trim());
          done(t().files.renamed(isolated(name!.trim())));
        }}
      >
        <Field name="name" label={t().files.newName} defaultValue={entry.name} autocomplete="off" />
        <Submit>{t().files.rename}</Submit>
      </Form>
    </Dialog>
  );
}

export function Remove({ entry, close, done }: Props) {
  return (
    <Ask
      title={t().files.removeTitle(isolated(entry.name))} text={entry.type === "folder" ? t().files.removeFolder : t().files.removeFile}
      button={t().files.remove} close={close}
      action={async () => {
        await remove(entry);
        done(t().files.removed(isolated(entry.name)));
      }}
    />
  );
}

/** Moves an entry into another folder, which the user walks to. */
export function Relocate({ entry, folder, close, done }: Props & { folder: string }) {
  const [at, setAt] = useState(folder);
  const folders = useLoad(async () => (await list(at)).filter((e) => e.type === "folder" && e.path !== entry.path.replace(/\/$/, "")), [at]);
  const name = at.split("/").at(-2) ?? t().files.home;
  return (
    <Dialog title={t().files.moveTitle(isolated(entry.name))} close={close}>
      <p aria-live="polite">{t().files.moveTo(isolated(name))}</p>
      <div class="choices folders">
        {at && <button type="button" onClick={() => setAt(at.replace(/[^/]+\/$/, ""))}><Icon name="up" /> {t().files.up}</button>}
        {folders.problem && <Trouble problem={folders.problem} retry={folders.reload} />}
        {!folders.data && !folders.problem && <Loading />}
        {folders.data?.map((f) => (
          <button type="button" key={f.name} onClick={() => setAt(`${at}${f.name}/`)}><Icon name="folder" /> <bdi>{f.name}</bdi></button>
        ))}
        {folders.data?.length === 0 && <p class="quiet">{t().files.noFolders}</p>}
      </div>
      <Form
        action={async () => {
          if (at !== folder) await move(entry, at + entry.name);
          done(t().files.moved(isolated(entry.name), isolated(name)));
        }}
      >
        <Submit>{t().files.moveHere}</Submit>
      </Form>
    </Dialog>
  );
}

/** Shows a picture or a text. Nothing else is shown: it could contain scripts. */
export function Preview({ entry, close, download }: { entry: Entry; close: () => void; download: () => void }) {
  const kind = preview(entry);
  const [shown, setShown] = useState<{ url?: string; text?: string } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    let url: string | undefined;
    let open = true;
    async function load() {
      const blob = await read(entry, kind === "text" ? maxText : undefined);
      if (!open) return;
      if (kind === "text") return setShown({ text: await blob.text() });
      url = URL.createObjectURL(new Blob([blob], { type: entry.content_type! }));
      setShown({ url });
    }
    load().catch((error) => setProblem(problemOf(error)));
    return () => {
      open = false;
      if (url) URL.revokeObjectURL(url);
    };
  }, []);
  return (
    <Dialog title={isolated(entry.name)} close={close} wide>
      {problem ? <Trouble problem={problem} /> : !shown && <Loading />}
      {shown?.url && <img class="preview" src={shown.url} alt={entry.name} />}
      {shown?.text !== undefined && <pre class="preview" tabIndex={0}>{shown.text}</pre>}
      {shown?.text !== undefined && entry.size > maxText && <p class="quiet">{t().files.beginning}</p>}
      <div class="foot"><button type="button" onClick={download}>{t().files.download}</button></div>
    </Dialog>
  );
}
