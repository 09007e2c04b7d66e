// The account in Nextcloud, where the files are.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ok, type Schemas } from "../api";
import type { Problem } from "../problem";
import { to } from "../route";
import { user } from "../session";
import { size, t, time } from "../texts";
import { Field, Form, Submit } from "../ui/form";
import { useLoad, type Loaded } from "../ui/load";
import { Loading, Note, Trouble, useRetry } from "../ui/message";
import { Section } from "../ui/page";
import { SendLink } from "../ui/sendlink";
import { Tag } from "../ui/tag";
import { Value } from "../ui/value";

type Standing = Schemas["NextcloudStanding"];

const firstLook = 2; // seconds until the page looks again, while the account is being set up
const longest = 30; // seconds; each time takes longer than the one before

/** Loads how the account stands. While it is being set up, the page looks again by itself. */
export function useStanding(): Loaded<Standing> {
  const loaded = useLoad(() => ok(api.GET("/api/users/me/nextcloud")));
  const wait = useRef(firstLook);
  const { data, problem, reload } = loaded;
  useEffect(() => {
    if (data?.status !== "pending" || !data.url || problem) return;
    const timer = setTimeout(reload, wait.current * 1000);
    wait.current = Math.min(longest, wait.current * 1.5);
    return () => clearTimeout(timer);
  }, [data, problem]);
  return loaded;
}

/** Says in plain words how the account stands, and what to do about it. */
function sentence({ status, last_error }: Standing): string {
  const { causes, states } = t().storage;
  const cause = last_error ? causes[last_error] : undefined;
  return status === "disabled" ? states.disabled.text : cause ?? states[status].text;
}

const tones = { active: "good", pending: "busy", disabled: undefined, conflict: "busy", failed: "bad" } as const;

/** The section about the account, with what other programs need to know about it. */
export function Nextcloud({ data, problem, reload, claimed = reload }: Loaded<Standing> & { claimed?: () => Promise<void> }) {
  const [note, setNote] = useState("");
  if (data && !data.url) return null; // this server has none
  // An account that cannot be claimed is no question to its owner.
  const state = data?.last_error === "not_adoptable" ? "failed" : data?.status ?? "pending";
  return (
    <Section title={t().storage.title} intro={t().storage.intro}>
      {problem ? <Trouble problem={problem} retry={reload} /> : !data && <Loading />}
      <Note>{note}</Note>
      {data && (
        <>
          <div aria-live="polite">
            <Tag tone={tones[state]}>{t().storage.states[state].tag}</Tag>
            <p>{sentence(data)}</p>
          </div>
          {data.last_error === "email_unverified" && <SendLink email={user.value!.email} />}
          {state === "conflict" && <Claim claimed={() => (setNote(t().storage.claimed), claimed())} />}
          <Facts standing={data} />
        </>
      )}
    </Section>
  );
}

function Facts({ standing: { url, user_id, webdav_url, quota, last_synced_at, status } }: { standing: Standing }) {
  if (!url || !user_id || (status !== "active" && status !== "pending")) return null;
  return (
    <>
      <Quota quota={quota} />
      <p><a href={url} target="_blank" rel="noopener noreferrer">{t().storage.open}</a></p>
      <Value label={t().storage.user}>{user_id}</Value>
      {webdav_url && (
        <>
          <Value label={t().storage.webdav}>{webdav_url}</Value>
          <p class="quiet">{t().storage.webdavHint} <a href={to("apps")}>{t().storage.webdavApps}</a></p>
        </>
      )}
      {last_synced_at && <p class="quiet">{t().storage.synced(time(last_synced_at))}</p>}
    </>
  );
}

export function Quota({ quota }: { quota: Standing["quota"] }) {
  if (!quota) return null;
  const text = quota.total === null ? t().files.usedOnly(size(quota.used)) : t().files.used(size(quota.used), size(quota.total));
  return (
    <p class="quota quiet">
      {quota.total !== null && <progress max={quota.total} value={quota.used} aria-label={text} />} {text}
    </p>
  );
}

/** Takes over an account that was there before, whose owner proves it with its password. */
function Claim({ claimed }: { claimed: () => Promise<void> }) {
  return (
    <>
      <p>{t().storage.conflictIntro(user.value!.email)}</p>
      <Form
        action={async ({ password }) => {
          await ok(api.POST("/api/users/me/nextcloud/claim", { body: { password: password! } }));
          await claimed();
        }}
      >
        <Field name="password" label={t().storage.claimPassword} type="password" autocomplete="off" />
        <Submit>{t().storage.claim}</Submit>
      </Form>
    </>
  );
}

/** Takes the place of the files while they are not there yet, and looks for them again. */
export function NotReady({ standing, problem, retry }: { standing: Standing; problem: Problem; retry: () => void }) {
  useRetry(problem, retry);
  const unverified = standing.last_error === "email_unverified";
  return (
    <div class="empty" role="status">
      <p>{standing.status === "pending" ? sentence(standing) : t().storage.states.pending.text}</p>
      {unverified && <SendLink email={user.value!.email} />}
    </div>
  );
}
