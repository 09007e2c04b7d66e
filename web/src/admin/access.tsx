import { useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import { Problem, problemOf } from "../problem";
import { to } from "../route";
import { t } from "../texts";
import { Ask } from "../ui/ask";
import { Check, Field } from "../ui/form";
import { Note } from "../ui/message";
import { Section } from "../ui/page";
import { isInvited, isMe, nameOf, type User } from "./people";
import type { Account } from "./standing";
import { a } from "./texts";

interface Props {
  user: User;
  account: Account | null; // in Nextcloud
  reload: () => Promise<void>;
  deleted: () => void;
}

type Question = "invite" | "reset" | "logout" | "disable" | "enable" | "promote" | "demote" | "delete";

/** Returns what can be done with a user now. */
function possible(user: User): Question[] {
  const role: Question = user.is_admin ? "demote" : "promote";
  if (user.disabled) return ["enable", role, "delete"];
  return isInvited(user) ? ["invite", "disable", role, "delete"] : ["reset", "logout", "disable", role, "delete"];
}

/** What replaces another action when that is done. Its button stays, and keeps the focus. */
const opposites: Partial<Record<Question, Question>> = { enable: "disable", demote: "promote" };

/** The statuses of responses that tell that somebody else has changed or deleted the user. */
const meanwhile = [404, 409, 412];

const dangerous: Question[] = ["logout", "disable", "delete"];

/** What somebody may do here, and what an administrator can do about it. */
export function Access({ user, account, reload, deleted }: Props) {
  const [question, ask] = useState<Question | null>(null);
  const [note, setNote] = useState("");
  const texts = a().access;
  if (isMe(user)) {
    return (
      <Section title={texts.title}>
        <p>{texts.own} <a href={to("security")}>{t().nav.security}</a></p>
      </Section>
    );
  }
  return (
    <Section title={texts.title}>
      <Note>{note}</Note>
      <ul class="rows">
        {possible(user).map((each) => (
          <li key={opposites[each] ?? each}>
            <div>
              <strong>{texts.actions[each].title}</strong>
              <p class="quiet">{texts.actions[each].about}</p>
            </div>
            <button type="button" class={each === "delete" ? "danger" : ""} aria-haspopup="dialog" onClick={() => (setNote(""), ask(each))}>
              {texts.actions[each].button}
            </button>
          </li>
        ))}
      </ul>
      {question && (
        <Ask
          key={question} title={texts.actions[question].ask(nameOf(user))} text={texts.actions[question].effect}
          button={texts.actions[question].button} harmless={!dangerous.includes(question)} close={() => ask(null)}
          action={async (values) => {
            await actions[question](user, values).catch(async (error) => {
              if (meanwhile.includes(problemOf(error).status)) await reload();
              throw error;
            });
            if (question === "delete") return deleted();
            await reload(); // first, as the button may be gone then, to which the dialog gives the focus back
            ask(null);
            setNote(texts.actions[question].done(nameOf(user)));
          }}
        >
          {question === "logout" && (
            <>
              <Check name="keep_api_keys" label={texts.keepKeys} />
              <Check name="keep_app_passwords" label={texts.keepApps} />
            </>
          )}
          {question === "delete" && (
            <>
              {account && <p>{texts.files[account.on_delete]}</p>}
              <Field name="address" label={texts.repeat(user.email)} autocomplete="off" autocapitalize="none" spellcheck={false} />
            </>
          )}
        </Ask>
      )}
    </Section>
  );
}

type Action = (user: User, values: Record<string, string>) => Promise<unknown>;

const one = (user: User) => ({ params: { path: { id: user.id } } });
const change = (body: Schemas["UserChange"]): Action => (user) => ok(api.PATCH("/api/users/{id}", { ...one(user), body }));

const actions: Record<Question, Action> = {
  invite: (user) => ok(api.POST("/api/users/{id}/resend-invitation", one(user))),
  reset: (user) => ok(api.POST("/api/users/{id}/reset-password", one(user))),
  logout: (user, { keep_api_keys, keep_app_passwords }) =>
    ok(api.POST("/api/users/{id}/logout", { ...one(user), body: { keep_api_keys: keep_api_keys === "on", keep_app_passwords: keep_app_passwords === "on" } })),
  disable: change({ disabled: true }),
  enable: change({ disabled: false }),
  promote: change({ role: "admin" }),
  demote: change({ role: "user" }),
  async delete(user, { address }) {
    if (address!.trim().toLowerCase() !== user.email.toLowerCase()) {
      throw new Problem("validation_failed", 422, "", { address: { code: "address_differs", message: "" } });
    }
    await ok(api.DELETE("/api/users/{id}", one(user)));
  },
};
