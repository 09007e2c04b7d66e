import { useEffect, useState } from "preact/hooks";
import { api, ok, page, type Page } from "../api";
import { problemOf, type Problem } from "../problem";
import { route, to } from "../route";
import { relative } from "../texts";
import { useLoad } from "../ui/load";
import { Note, Trouble } from "../ui/message";
import { Paged, usePages } from "../ui/pages";
import { Title } from "../ui/page";
import { useRefresh } from "./refresh";
import { isMoving, Remedies, Standing, Status, type Account } from "./standing";
import { a } from "./texts";

// What is shown: accounts of one status after the other. "" is every status.
const filters = {
  attention: ["failed", "conflict", "pending"], failed: ["failed"], conflict: ["conflict"], pending: ["pending"], disabled: ["disabled"], all: [""],
} as const satisfies Record<string, readonly (Account["status"] | "")[]>;
type Filter = keyof typeof filters;

/** Reads a page of the accounts with one of the statuses. The cursor names the status, and the position in its list. */
async function read(filter: Filter, position = "0:"): Promise<Page<Account>> {
  const [index, cursor] = position.split(":");
  const statuses = filters[filter];
  const found: Account[] = [];
  for (let i = Number(index), at = cursor; i < statuses.length; i++, at = "") {
    const { items, next } = await page(api.GET("/api/nextcloud/accounts", { params: { query: { status: statuses[i], ...(at && { cursor: at }) } } }));
    found.push(...items);
    if (next) return { items: found, next: `${i}:${next}` };
  }
  return { items: found, next: undefined };
}

/** The accounts in Nextcloud: which are not as they should be, and why. The address names the filter: #/admin/storage/failed. */
export function Storage() {
  const named = route.value[2];
  const names = Object.keys(filters) as Filter[];
  const filter = names.find((name) => name === named) ?? "attention";
  const list = usePages((cursor) => read(filter, cursor), [filter]);
  const cloud = useLoad(() => ok(api.GET("/api/users/me/nextcloud")));
  const [note, setNote] = useState("");
  const texts = a().storage;
  useEffect(() => setNote(""), [filter]);
  useRefresh(list.items?.some(isMoving) ?? false, list.reload, note);
  if (cloud.data && !cloud.data.url) return <><Title>{texts.title}</Title><p class="message">{texts.notConfigured}</p></>;
  return (
    <>
      <div class="head">
        <Title>{texts.title}</Title>
        <Run note={setNote} reload={list.reload} />
      </div>
      <section class="listing">
        <nav class="filter" aria-label={texts.filter}>
          {names.map((name) => (
            <a key={name} href={to("admin", "storage", ...(name === "attention" ? [] : [name]))} aria-current={name === filter ? "true" : undefined}>
              {texts.filters[name]}
            </a>
          ))}
        </nav>
        <Note>{note}</Note>
        <Held accounts={list.items ?? []} />
        <Paged list={list} empty={<p class="empty">{filter === "attention" ? texts.fine : texts.none}</p>}>
          {(accounts) => (
            <ul class="rows accounts">
              {accounts.map((account) => (
                <li key={account.user_id}>
                  <div>
                    {account.wish === "absent" ? <strong>{account.email}</strong> : <a href={to("admin", "users", account.user_id)}>{account.email}</a>}{" "}
                    <Status account={account} />
                    <Standing account={account} />
                  </div>
                  <Remedies account={account} reload={list.reload} note={setNote} />
                </li>
              ))}
            </ul>
          )}
        </Paged>
      </section>
    </>
  );
}

/** Says why nothing is tried at all. */
function Held({ accounts }: { accounts: Account[] }) {
  const held = accounts.find((account) => account.waits_for !== null);
  if (!held) return null;
  const next = held.next_try_at;
  return (
    <div class="message bad" role="alert">
      <p>{a().storage.holds[held.waits_for!]}</p>
      {next && <p aria-live="off">{a().storage.next(relative(next))}</p>}
    </div>
  );
}

/** A button that tries now what is due. */
function Run({ note, reload }: { note: (text: string) => void; reload: () => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const texts = a().storage;
  async function run() {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    note("");
    try {
      const result = await ok(api.POST("/api/nextcloud/reconcile"));
      note(result.claimed === 0 ? texts.nothingDue(result.remaining) : texts.ran(result));
      await reload();
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
  }
  return (
    <>
      <div class="tools">
        <button type="button" aria-disabled={busy} onClick={run}>{busy && <span class="spinner" aria-hidden="true" />}{texts.run}</button>
      </div>
      {problem && <Trouble problem={problem} />}
    </>
  );
}
