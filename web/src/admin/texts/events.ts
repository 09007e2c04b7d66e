// What happened, by the names of events. The events of a group are in one list of the
// filter; the compiler reports names that are missing.
import type { Schemas } from "../../api";

export type EventName = Schemas["AuditEventName"];

export const groups = {
  attention: ["refresh_token_reused", "nextcloud_conflict"],
  logins: ["logged_in", "login_failed", "logged_out", "logged_out_everywhere", "login_revoked", "refresh_token_reused"],
  proofs: [
    "password_changed", "password_refused", "password_reset_requested", "password_reset", "second_factor_enabled", "second_factor_disabled",
    "second_factor_code_refused", "backup_code_used", "backup_codes_replaced",
  ],
  accounts: [
    "account_registered", "registration_refused", "invitation_sent", "invitation_accepted", "role_changed", "account_disabled",
    "account_enabled", "account_deleted",
  ],
  addresses: [
    "email_changed", "email_change_requested", "email_change_canceled", "email_restored", "verification_requested", "email_verified",
    "change_disowned",
  ],
  apps: ["app_password_issued", "app_password_revoked", "api_key_issued", "api_key_revoked"],
  storage: ["nextcloud_conflict", "nextcloud_claimed", "nextcloud_claim_refused", "nextcloud_adopted", "nextcloud_quota_changed"],
  operation: ["keys_rotated", "audit_adopted"],
} as const satisfies Record<string, readonly EventName[]>;

export type Group = keyof typeof groups;

const complete: Exclude<EventName, (typeof groups)[Group][number]> extends never ? true : false = true;
void complete;

/** Events whose detail is a name that somebody chose, or an id. */
export const named: readonly EventName[] = [
  "app_password_issued", "api_key_issued", "nextcloud_conflict", "nextcloud_claimed", "nextcloud_claim_refused", "nextcloud_adopted",
];

/** What happened, what is known of it, and what to do about it. */
export interface EventTexts {
  events: Record<EventName, string>;
  groups: Record<Group, string>;
  /** Reasons, and what a password or code was for. */
  details: Record<string, string>;
  remaining: (codes: number) => string;
  advice: Partial<Record<EventName, string>>;
}

export const en: EventTexts = {
  groups: {
    attention: "Needs attention", logins: "Signing in and out", proofs: "Password and second factor", accounts: "Accounts", addresses: "E-mail addresses",
    apps: "App passwords and API keys", storage: "Storage", operation: "Operation",
  },
  events: {
    logged_in: "Signed in",
    login_failed: "Sign-in failed",
    logged_out: "Signed out",
    logged_out_everywhere: "Signed out everywhere",
    login_revoked: "Signed out on another device",
    refresh_token_reused: "Sign-in may be stolen",
    password_changed: "Password changed",
    password_refused: "Wrong password",
    password_reset_requested: "Link for a new password requested",
    password_reset: "New password chosen with a link",
    second_factor_enabled: "Second factor turned on",
    second_factor_disabled: "Second factor turned off",
    second_factor_code_refused: "Wrong code",
    backup_code_used: "Backup code used",
    backup_codes_replaced: "New backup codes made",
    account_registered: "Account created",
    registration_refused: "Somebody tried to register with this address",
    invitation_sent: "Invitation sent again",
    invitation_accepted: "Invitation accepted",
    role_changed: "Role changed",
    account_disabled: "Account disabled",
    account_enabled: "Account enabled",
    account_deleted: "Account deleted",
    email_changed: "Address changed",
    email_change_requested: "New address entered, not confirmed yet",
    email_change_canceled: "Change of address canceled",
    email_restored: "Change of address undone",
    verification_requested: "Link to confirm the address requested",
    email_verified: "Address confirmed",
    change_disowned: "“That was not me” reported",
    app_password_issued: "App password created",
    app_password_revoked: "App password removed",
    api_key_issued: "API key created",
    api_key_revoked: "API key removed",
    nextcloud_conflict: "Nextcloud has another account with this name or address",
    nextcloud_claimed: "Existing Nextcloud account taken over",
    nextcloud_claim_refused: "Wrong password for an existing Nextcloud account",
    nextcloud_adopted: "Existing Nextcloud account assigned",
    nextcloud_quota_changed: "Storage limit changed",
    keys_rotated: "Keys of the gateway replaced",
    audit_adopted: "Damaged audit trail accepted",
  },
  details: {
    "unknown account": "There is no such account",
    "wrong password": "Wrong password",
    "disabled account": "The account is disabled",
    "pending account": "The account has no password yet",
    "address not verified": "The address is not confirmed yet",
    "to change the password": "To change the password",
    "to change the e-mail address": "To change the address",
    "to delete the account": "To delete the account",
    "to make an app password": "To create an app password",
    "to create an API key": "To create an API key",
    "to log in": "To sign in",
    "to set up a second factor": "To set up a second factor",
    "to enable the second factor": "To turn on the second factor",
    "to disable the second factor": "To turn off the second factor",
    "to replace the backup codes": "To make new backup codes",
    invited: "By invitation",
    imported: "Imported",
    all: "All of them",
    user: "User",
    admin: "Administrator",
    default: "The usual limit",
    keep: "As it is in Nextcloud",
    "password-changed": "Password changed",
    "address-changed": "Address changed",
    "second-factor-enabled": "Second factor turned on",
    "second-factor-disabled": "Second factor turned off",
    "backup-codes-replaced": "New backup codes made",
    "refresh-token-reused": "Sign-in may be stolen",
    "app-password-created": "App password created",
    "api-key-created": "API key created",
    "login-from-new-network": "Sign-in from a new network",
  },
  remaining: (codes) => (codes === 1 ? "1 code is left" : `${codes} codes are left`),
  advice: {
    refresh_token_reused: "An old key of it was used again, so somebody may have a copy. The sign-in has been ended. Ask the user.",
    nextcloud_conflict: "If it belongs to the user, they can claim it, or you can assign it under Storage.",
  },
};

export const de: EventTexts = {
  groups: {
    attention: "Braucht Aufmerksamkeit", logins: "An- und Abmelden", proofs: "Passwort und zweiter Faktor", accounts: "Konten", addresses: "E-Mail-Adressen",
    apps: "App-Passwörter und API-Schlüssel", storage: "Speicher", operation: "Betrieb",
  },
  events: {
    logged_in: "Angemeldet",
    login_failed: "Anmeldung fehlgeschlagen",
    logged_out: "Abgemeldet",
    logged_out_everywhere: "Überall abgemeldet",
    login_revoked: "Auf einem anderen Gerät abgemeldet",
    refresh_token_reused: "Anmeldung vielleicht gestohlen",
    password_changed: "Passwort geändert",
    password_refused: "Falsches Passwort",
    password_reset_requested: "Link für ein neues Passwort angefordert",
    password_reset: "Neues Passwort über einen Link gewählt",
    second_factor_enabled: "Zweiten Faktor eingeschaltet",
    second_factor_disabled: "Zweiten Faktor ausgeschaltet",
    second_factor_code_refused: "Falscher Code",
    backup_code_used: "Ersatzcode benutzt",
    backup_codes_replaced: "Neue Ersatzcodes erstellt",
    account_registered: "Konto angelegt",
    registration_refused: "Jemand wollte sich mit dieser Adresse registrieren",
    invitation_sent: "Einladung erneut gesendet",
    invitation_accepted: "Einladung angenommen",
    role_changed: "Rolle geändert",
    account_disabled: "Konto gesperrt",
    account_enabled: "Konto entsperrt",
    account_deleted: "Konto gelöscht",
    email_changed: "Adresse geändert",
    email_change_requested: "Neue Adresse eingegeben, noch nicht bestätigt",
    email_change_canceled: "Änderung der Adresse abgebrochen",
    email_restored: "Änderung der Adresse rückgängig gemacht",
    verification_requested: "Link zum Bestätigen der Adresse angefordert",
    email_verified: "Adresse bestätigt",
    change_disowned: "„Das war ich nicht“ gemeldet",
    app_password_issued: "App-Passwort erstellt",
    app_password_revoked: "App-Passwort entfernt",
    api_key_issued: "API-Schlüssel erstellt",
    api_key_revoked: "API-Schlüssel entfernt",
    nextcloud_conflict: "Nextcloud hat ein anderes Konto mit diesem Namen oder dieser Adresse",
    nextcloud_claimed: "Vorhandenes Nextcloud-Konto übernommen",
    nextcloud_claim_refused: "Falsches Passwort für ein vorhandenes Nextcloud-Konto",
    nextcloud_adopted: "Vorhandenes Nextcloud-Konto zugeordnet",
    nextcloud_quota_changed: "Speichergrenze geändert",
    keys_rotated: "Schlüssel des Gateways ersetzt",
    audit_adopted: "Beschädigtes Protokoll übernommen",
  },
  details: {
    "unknown account": "Es gibt kein solches Konto",
    "wrong password": "Falsches Passwort",
    "disabled account": "Das Konto ist gesperrt",
    "pending account": "Das Konto hat noch kein Passwort",
    "address not verified": "Die Adresse ist noch nicht bestätigt",
    "to change the password": "Um das Passwort zu ändern",
    "to change the e-mail address": "Um die Adresse zu ändern",
    "to delete the account": "Um das Konto zu löschen",
    "to make an app password": "Um ein App-Passwort zu erstellen",
    "to create an API key": "Um einen API-Schlüssel zu erstellen",
    "to log in": "Um sich anzumelden",
    "to set up a second factor": "Um einen zweiten Faktor einzurichten",
    "to enable the second factor": "Um den zweiten Faktor einzuschalten",
    "to disable the second factor": "Um den zweiten Faktor auszuschalten",
    "to replace the backup codes": "Um neue Ersatzcodes zu erstellen",
    invited: "Auf Einladung",
    imported: "Importiert",
    all: "Alle",
    user: "Benutzer",
    admin: "Verwaltung",
    default: "Die übliche Grenze",
    keep: "Wie in Nextcloud",
    "password-changed": "Passwort geändert",
    "address-changed": "Adresse geändert",
    "second-factor-enabled": "Zweiten Faktor eingeschaltet",
    "second-factor-disabled": "Zweiten Faktor ausgeschaltet",
    "backup-codes-replaced": "Neue Ersatzcodes erstellt",
    "refresh-token-reused": "Anmeldung vielleicht gestohlen",
    "app-password-created": "App-Passwort erstellt",
    "api-key-created": "API-Schlüssel erstellt",
    "login-from-new-network": "Anmeldung aus einem neuen Netz",
  },
  remaining: (codes) => (codes === 1 ? "1 Code ist übrig" : `${codes} Codes sind übrig`),
  advice: {
    refresh_token_reused: "Ein alter Schlüssel davon wurde benutzt; vielleicht gibt es eine Kopie. Die Anmeldung ist beendet. Fragen Sie nach.",
    nextcloud_conflict: "Gehört es der Person, kann sie es übernehmen, oder Sie ordnen es unter Speicher zu.",
  },
};
