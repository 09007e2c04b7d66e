import { useState } from "preact/hooks";
import { api, ok } from "../api";
import { t } from "../texts";
import { Dialog } from "../ui/dialog";
import { Field, Form, Submit } from "../ui/form";
import { Select } from "../ui/select";
import { a } from "./texts";

type Way = "mail" | "password";

/** Adds a user, who chooses the password with a link in a mail, or gets one from the administrator. */
export function Invite({ close, done }: { close: () => void; done: (note: string) => void }) {
  const [way, choose] = useState<Way>("mail");
  const texts = a().invite;
  return (
    <Dialog title={texts.title} close={close}>
      <Form
        action={async ({ email, full_name, role, password }) => {
          const body = { email: email!.trim(), full_name: full_name!.trim(), role: role as "user" | "admin" };
          if (way === "mail") await ok(api.POST("/api/users/invite", { body }));
          else await ok(api.POST("/api/users", { body: { ...body, password: password! } }));
          done(way === "mail" ? texts.sent(body.email) : texts.created(body.email));
        }}
      >
        <Field name="email" label={t().email} type="email" autocomplete="off" />
        <Field name="full_name" label={t().fullName} optional autocomplete="off" />
        <Select name="role" label={a().users.role} options={a().users.roles} value="user" hint={texts.roleHint} />
        <Select name="way" label={texts.way} options={texts.ways} value={way} change={choose} hint={texts.wayHints[way]} />
        {way === "password" && <Field name="password" label={t().password} type="password" autocomplete="new-password" hint={t().newPasswordHint} />}
        <Submit>{way === "mail" ? texts.invite : texts.create}</Submit>
      </Form>
    </Dialog>
  );
}
