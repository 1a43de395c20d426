/** Names under which HTTP clients, authors, and URLs keep secrets. */
export const secretName = /authori[sz]ation|passw|secret|token|api[-_]?key|cookie|credential|private[-_]?key/i
