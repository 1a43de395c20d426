import { type ListItem } from './list-item.ts'

/** Common options of line formats. */
interface LineOptions<Item extends ListItem> {
  /** The text of an item. @default the value in its key, or the whole key if it is any other text */
  readonly value?: ((item: Item) => string) | undefined
  /** Comment lines at the beginning, without the comment sign. */
  readonly comments?: readonly string[] | undefined
}

/**
 * One value per line. Leaves out values that would not be read back unchanged: those with a line break, a
 * control or bidirectional character, or leading or trailing spaces, and those that begin with a comment sign
 * or contain one after a space.
 */
export interface PlainOptions<Item extends ListItem = ListItem> extends LineOptions<Item> {
  readonly format: 'plain'
}

/**
 * Comma-separated values as in RFC 4180: lines end in CR LF, quotes are doubled, and everything but plain
 * words is quoted. Leaves out rows with a line break or control character in a cell.
 */
export interface CsvOptions<Item extends ListItem = ListItem> {
  readonly format: 'csv'
  /** The columns by name, in order. @default a single one, `value` */
  readonly columns?:
    Readonly<Record<string, (item: Item) => string | number | boolean | undefined>> | undefined
  /**
   * Whether the first line contains the column names.
   * @default true
   */
  readonly header?: boolean | undefined
  /**
   * How to handle a cell that a spreadsheet would run as a formula, such as `=cmd`: `leave-out` leaves out
   * its row, `keep` keeps it, for files that only programs read. Cells are never changed, because they would
   * then be different values.
   * @default 'leave-out'
   */
  readonly formulas?: 'leave-out' | 'keep' | undefined
}

/** One JSON value per line. Characters that some readers take for a line end are escaped, so every text fits. */
export interface JsonLinesOptions<Item extends ListItem = ListItem> {
  readonly format: 'json-lines'
  /** What to write for an item. @default the whole item */
  readonly value?: ((item: Item) => unknown) | undefined
}

/**
 * The format of `/etc/hosts`: an address and a domain per line. Leaves out everything but domains, as well as
 * single labels and `localhost` names, which belong to the machine.
 */
export interface HostsOptions<Item extends ListItem = ListItem> extends LineOptions<Item> {
  readonly format: 'hosts'
  /**
   * The address that the domains resolve to.
   * @default '0.0.0.0'
   */
  readonly address?: string | undefined
}

/**
 * A response policy zone for BIND, Knot Resolver, PowerDNS, and Unbound: the names and their subdomains do
 * not exist (`CNAME .`), and neither do answers with a listed address. Leaves out everything but domains and
 * IP addresses, as well as single labels, which would be a top-level domain with everything below it.
 */
export interface RpzOptions<Item extends ListItem = ListItem> extends LineOptions<Item> {
  readonly format: 'rpz'
  /** The name of the zone, such as `rpz.example`. */
  readonly zone: string
  /**
   * The serial of the zone, from 1 to 4,294,967,295; it must grow with each change. `writeList` determines it
   * by itself: the seconds since 1970, or one more than the file's serial if that is greater.
   */
  readonly serial?: number | undefined
  /**
   * How long answers may be cached, in seconds.
   * @default 300
   */
  readonly ttlSeconds?: number | undefined
}

/** How to write a list; `format` determines which other options apply. */
export type ListOptions<Item extends ListItem = ListItem> =
  PlainOptions<Item> | CsvOptions<Item> | JsonLinesOptions<Item> | HostsOptions<Item> | RpzOptions<Item>
