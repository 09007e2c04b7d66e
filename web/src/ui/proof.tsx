// What changes of the account ask for, beside the password.
import { api, ok, type Schemas } from "../api";
import { t } from "../texts";
import { CodeField } from "./form";
import { useLoad } from "./load";

type Factor = Schemas["SecondFactorStatus"] | null;

/** Returns the second factor of the account, or null until it is known. */
export const useSecondFactor = (): Factor => useLoad(() => ok(api.GET("/api/auth/2fa/status"))).data;

/** Asks for a code, if the account has a second factor. */
export const ProofCode = ({ factor }: { factor: Factor }) => (factor?.enabled ? <CodeField label={t().code.label} /> : null);
