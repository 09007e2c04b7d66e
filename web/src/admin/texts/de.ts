import type { Texts } from "./en";

export const de: Texts = {
  nav: { label: "Verwaltung", users: "Benutzer", storage: "Speicher", trail: "Protokoll", health: "Zustand" },

  users: {
    title: "Benutzer",
    search: "Name oder Adresse suchen",
    none: "Niemand gefunden.",
  },
  storage: {
    title: "Speicher",
    none: "Hier ist nichts.",
  },

  problems: {
    admin_required: "Sie gehören nicht mehr zur Verwaltung. Jemand anderes aus der Verwaltung hat Ihre Rolle geändert.",
  },
};
