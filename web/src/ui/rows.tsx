import { useState } from "preact/hooks";
import { t } from "../texts";
import { Ask } from "./ask";
import { Row } from "./focus";
import { Note } from "./message";

interface Rows<T> {
  items: T[];
  about: (item: T) => string;
  /** What happens when one is removed. */
  warning: string;
  remove: (id: string) => Promise<unknown>;
  reload: () => Promise<void>;
}

/** The app passwords or keys, each with a button that removes it after a question. */
export function Rows<T extends { id: string; name: string }>({ items, about, warning, remove, reload }: Rows<T>) {
  const [note, setNote] = useState("");
  const [asked, ask] = useState<T | null>(null);
  async function end(item: T) {
    await remove(item.id);
    ask(null);
    setNote(t().apps.ended(item.name));
    await reload();
  }
  return (
    <>
      <Note>{note}</Note>
      {items.length === 0 && <p class="quiet">{t().apps.none}</p>}
      <ul class="rows">
        {items.map((item) => (
          <Row key={item.id}>
            <div>
              <strong><bdi>{item.name}</bdi></strong>
              <p class="quiet">{about(item)}</p>
            </div>
            <button type="button" aria-label={t().apps.endOf(item.name)} onClick={() => ask(item)}>{t().apps.end}</button>
          </Row>
        ))}
      </ul>
      {asked && (
        <Ask title={t().apps.endTitle(asked.name)} text={warning} button={t().apps.end} close={() => ask(null)} action={() => end(asked)} />
      )}
    </>
  );
}
