import { useState } from "preact/hooks";
import { api, ok } from "../api";
import { problemOf } from "../problem";
import { size, t } from "../texts";
import { Field, Form, Submit } from "../ui/form";
import type { Loaded } from "../ui/load";
import { Loading, Note, Trouble } from "../ui/message";
import { Reveal, Section } from "../ui/page";
import { Select } from "../ui/select";
import { isMoving, Remedies, Standing, Status, type Account } from "./standing";
import { a } from "./texts";
import { useRefresh } from "./refresh";

/** Returns the user's account in Nextcloud, or null if there is none. */
export async function accountOf(id: string): Promise<{ account: Account | null }> {
  try {
    return { account: await ok(api.GET("/api/nextcloud/accounts/{user_id}", { params: { path: { user_id: id } } })) };
  } catch (error) {
    if (problemOf(error).status === 404) return { account: null };
    throw error;
  }
}

export function Space({ data, problem, reload }: Loaded<{ account: Account | null }>) {
  const [note, setNote] = useState("");
  const account = data?.account;
  useRefresh(!!account && isMoving(account), reload, note);
  return (
    <Section title={a().space.title}>
      <Note>{note}</Note>
      {problem && <Trouble problem={problem} retry={reload} />}
      {!data && !problem && <Loading />}
      {data && !account && <p class="quiet">{a().space.none}</p>}
      {account && (
        <>
          <dl class="facts">
            <dt>{a().users.state}</dt>
            <dd><Status account={account} /><Standing account={account} /></dd>
            <dt>{a().space.id}</dt>
            <dd>{account.nextcloud_user_id}</dd>
            <dt>{a().space.quota}</dt>
            <dd><Quota account={account} /></dd>
          </dl>
          <div class="tools">
            <Remedies account={account} reload={reload} note={setNote} />
            <ChangeQuota key={account.quota.setting} account={account} reload={reload} note={setNote} />
          </div>
        </>
      )}
    </Section>
  );
}

/** Says what a quota such as "20 GB" means. */
function inWords(quota: string | null): string {
  return quota === null ? a().space.settings.keep : quota === "none" ? a().space.settings.none : quota;
}

function Quota({ account: { quota } }: { account: Account }) {
  const texts = a().space;
  return (
    <>
      {quota.setting === "default" && quota.wanted ? texts.byDefault(inWords(quota.wanted)) : inWords(quota.wanted)}
      {quota.used !== null && <p class="quiet">{texts.used(size(quota.used))}</p>}
      {quota.differs && <p class="quiet">{texts.differs(inWords(quota.found))}</p>}
    </>
  );
}

type Setting = "default" | "own" | "none" | "keep";

function ChangeQuota({ account, reload, note }: { account: Account; reload: () => Promise<void>; note: (text: string) => void }) {
  const own = account.quota.setting.match(/^(\d+) (MB|GB)$/);
  const now = own ? "own" : (account.quota.setting as Setting);
  const [setting, set] = useState<Setting>(now);
  const texts = a().space;
  return (
    <Reveal label={texts.change}>
      <Form
        action={async ({ amount, unit }) => {
          const quota = setting === "own" ? `${amount!.trim()} ${unit}` : setting;
          await ok(api.PATCH("/api/users/{id}", { params: { path: { id: account.user_id } }, body: { nextcloud_quota: quota } })).catch((error) => {
            const problem = problemOf(error);
            // The field has another name here.
            if (problem.fields.nextcloud_quota) problem.fields.amount = { code: "invalid_quota", message: problem.fields.nextcloud_quota.message };
            throw problem;
          });
          note(t().saved);
          await reload();
        }}
      >
        <Select name="setting" label={texts.quota} options={texts.settings} value={setting} change={set} hint={texts.hints[setting]} />
        {setting === "own" && (
          <div class="amount">
            <Field name="amount" label={texts.amount} inputMode="numeric" autocomplete="off" defaultValue={own?.[1] ?? ""} />
            <Select name="unit" label={texts.unit} options={{ GB: "GB", MB: "MB" }} value={own?.[2] ?? "GB"} />
          </div>
        )}
        <Submit>{t().save}</Submit>
      </Form>
    </Reveal>
  );
}
