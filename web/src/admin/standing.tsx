// What the views say about accounts in Nextcloud.
import { useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import { problemOf, type Problem } from "../problem";
import { relative } from "../texts";
import { Ask } from "../ui/ask";
import { Field } from "../ui/form";
import { Trouble } from "../ui/message";
import { Tag } from "../ui/tag";
import { a } from "./texts";

export type Account = Schemas["NextcloudAccount"];

/** Whether the user has to confirm the address, or to accept the invitation, before anything happens. */
const waitsForUser = (account: Account): boolean => account.last_error === "email_unverified";

/** Whether an account can soon be different: the gateway works on it, or its user may claim another one. */
export const isMoving = (account: Account): boolean =>
  account.status === "conflict" || (account.status === "pending" && !waitsForUser(account));

const tones = { pending: "busy", active: "good", disabled: undefined, conflict: "bad", failed: "bad" } as const;

export const Status = ({ account }: { account: Account }) =>
  waitsForUser(account) ? <Tag>{a().storage.waiting}</Tag> : <Tag tone={tones[account.status]}>{a().storage.statuses[account.status]}</Tag>;

/** Says in words how an account stands, and why. */
export function Standing({ account }: { account: Account }) {
  const texts = a().storage;
  const id = account.conflict_with ?? account.nextcloud_user_id;
  if (waitsForUser(account)) return <p>{texts.errors.email_unverified()}</p>;
  const { attempts, last_error: error, next_try_at: next } = account;
  return (
    <>
      {account.status === "pending" && <p>{texts.wishes[account.last_synced_at && account.wish === "present" ? "changed" : account.wish]}</p>}
      {error && <p>{error === "email_taken" && !account.conflict_with ? texts.emailMoves : texts.errors[error](id)}</p>}
      {account.status !== "pending" && <p>{texts.means[account.status]}</p>}
      {(attempts > 0 || next) && (
        <p class="quiet">
          {attempts > 0 && texts.attempts(attempts)} {next && (Date.parse(next) > Date.now() ? texts.next(relative(next)) : texts.now)}
        </p>
      )}
    </>
  );
}

/** Whether linking another account can help. */
const linkable = ({ wish, status, last_error: error }: Account) =>
  wish === "present" && (error === "id_taken" || error === "email_taken" || error === "email_unclear" || (status === "conflict" && error !== "claim_required"));

interface Props {
  account: Account;
  reload: () => Promise<void>;
  note: (text: string) => void;
}

/** What an administrator can do about an account that is not in sync. */
export function Remedies({ account, reload, note }: Props) {
  const [linking, link] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const texts = a().storage;
  const params = { params: { path: { user_id: account.user_id } } };
  async function retry() {
    setProblem(null);
    note("");
    try {
      await ok(api.POST("/api/nextcloud/accounts/{user_id}/retry", params));
      note(texts.retried(account.email));
    } catch (error) {
      setProblem(problemOf(error));
    }
    await reload();
  }
  if (account.status === "active" || account.status === "disabled" || waitsForUser(account)) return null;
  return (
    <>
      {problem && <Trouble problem={problem} />}
      <div class="tools">
        {linkable(account) && (
          <button type="button" aria-haspopup="dialog" aria-label={texts.linkOf(account.email)} onClick={() => link(true)}>{texts.link}</button>
        )}
        <button type="button" aria-label={texts.retryOf(account.email)} onClick={retry}>{texts.retry}</button>
      </div>
      {linking && (
        <Ask
          title={texts.linkTitle(account.email)} text={texts.linkAbout} button={texts.link} harmless close={() => link(false)}
          action={async ({ nextcloud_user_id }) => {
            await ok(api.POST("/api/nextcloud/accounts/{user_id}/adopt", { ...params, body: { nextcloud_user_id: nextcloud_user_id!.trim() } }));
            link(false);
            note(texts.linked(account.email));
            await reload();
          }}
        >
          <Field
            name="nextcloud_user_id" label={texts.linkId} hint={texts.linkHint} defaultValue={account.conflict_with ?? ""}
            autocomplete="off" autocapitalize="none" spellcheck={false}
          />
        </Ask>
      )}
    </>
  );
}
