export const en = {
  nav: { label: "Administration", users: "Users", storage: "Storage", trail: "Audit trail", health: "Health" },

  users: {
    title: "Users",
    search: "Search by name or address",
    none: "Nobody is found.",
  },
  storage: {
    title: "Storage",
    none: "There is nothing here.",
  },

  problems: {
    admin_required: "You are not an administrator any more. Another administrator has changed your role.",
  } as Record<string, string>,
};

export type Texts = typeof en;
