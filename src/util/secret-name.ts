/** Names under which HTTP clients, authors and addresses keep what nobody should read. */
export const secretName = /authori[sz]ation|passw|secret|token|api[-_]?key|cookie|credential|private[-_]?key/i
