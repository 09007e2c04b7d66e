// Who may create an account.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ok, open, type Schemas } from "./api";

type Rule = Schemas["RegistrationRule"]["registration"];

/** Who may register; null until that is known. Views then offer the form, which says so too late. */
export const registration = signal<Rule | null>(null);

/** Asks who may register, after the view is painted. A failure changes nothing. */
export function useRegistration(): Rule | null {
  useEffect(() => {
    ok(open.GET("/api/auth/registration")).then((answer) => (registration.value = answer.registration), () => {});
  }, []);
  return registration.value;
}
