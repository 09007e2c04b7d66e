import { api, ok, type Schemas } from "../api";
import { user } from "../session";
import { t } from "../texts";
import { Field, Form, Submit } from "../ui/form";
import { Section } from "../ui/page";

/** Says why there are no files, and lets the owner of an older account claim it. */
export function Storage({ standing, claimed }: { standing: Schemas["NextcloudStanding"]; claimed: () => Promise<void> }) {
  if (!standing.url) return <p class="message">{t().storage.none}</p>;
  if (standing.status !== "conflict") return <p class="message">{standing.status === "disabled" ? t().storage.disabled : t().storage.failed}</p>;
  return (
    <Section title={t().storage.conflict} intro={t().storage.conflictIntro(user.value!.email)}>
      <Form
        action={async ({ password }) => {
          await ok(api.POST("/api/users/me/nextcloud/claim", { body: { password: password! } }));
          await claimed();
        }}
      >
        <Field name="password" label={t().storage.claimPassword} type="password" autocomplete="off" />
        <Submit>{t().storage.claim}</Submit>
      </Form>
    </Section>
  );
}
