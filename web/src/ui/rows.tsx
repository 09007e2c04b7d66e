import { useState } from "preact/hooks";
import { problemOf, type Problem } from "../problem";
import { t } from "../texts";
import { Note, Trouble } from "./message";

interface Rows<T> {
  items: T[];
  about: (item: T) => string;
  remove: (id: string) => Promise<unknown>;
  reload: () => Promise<void>;
}

/** The app passwords or keys, each with a button that removes it. */
export function Rows<T extends { id: string; name: string }>({ items, about, remove, reload }: Rows<T>) {
  const [note, setNote] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  async function end(item: T) {
    setProblem(null);
    try {
      await remove(item.id);
      setNote(t().apps.ended(item.name));
      await reload();
    } catch (error) {
      setProblem(problemOf(error));
    }
  }
  return (
    <>
      <Note>{note}</Note>
      {problem && <Trouble problem={problem} />}
      {items.length === 0 && <p class="quiet">{t().apps.none}</p>}
      <ul class="rows">
        {items.map((item) => (
          <li key={item.id}>
            <div>
              <strong>{item.name}</strong>
              <p class="quiet">{about(item)}</p>
            </div>
            <button type="button" aria-label={t().apps.endOf(item.name)} onClick={() => end(item)}>{t().apps.end}</button>
          </li>
        ))}
      </ul>
    </>
  );
}
