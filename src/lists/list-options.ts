import { type ListItem } from './list-item.ts'

/** What formats of lines have in common. */
interface LineOptions<Item extends ListItem> {
  /** The text that stands for an item. By default the value in its key, or the whole key when that is any other text. */
  readonly value?: ((item: Item) => string) | undefined
  /** Lines of comment at the beginning, without the sign of a comment. */
  readonly comments?: readonly string[] | undefined
}

/**
 * One value a line. Left out is what would not be read back as that value: with a line break, a control or a bidirectional
 * character, with space at an end, and what begins with, or holds after a space, a sign of a comment.
 */
export interface PlainOptions<Item extends ListItem = ListItem> extends LineOptions<Item> {
  readonly format: 'plain'
}

/**
 * Comma-separated values as in RFC 4180: lines end in CR LF, quotes are doubled, and everything but plain words is quoted. A
 * row with a line break or a control character in a cell is left out.
 */
export interface CsvOptions<Item extends ListItem = ListItem> {
  readonly format: 'csv'
  /** The columns by name, in their order. By default one, `value`. */
  readonly columns?:
    Readonly<Record<string, (item: Item) => string | number | boolean | undefined>> | undefined
  /**
   * Whether the first line has the names of the columns.
   * @default true
   */
  readonly header?: boolean | undefined
  /**
   * What to do with a cell that a spreadsheet would run as a formula, such as `=cmd`: `leave-out` leaves out its row,
   * `keep` keeps it as it is, for files that only programs read. It is never changed, since it would be another value then.
   * @default 'leave-out'
   */
  readonly formulas?: 'leave-out' | 'keep' | undefined
}

/** One JSON value a line. Characters that some readers take for the end of a line are escaped, so that every text fits. */
export interface JsonLinesOptions<Item extends ListItem = ListItem> {
  readonly format: 'json-lines'
  /** What is written of an item. By default all of it. */
  readonly value?: ((item: Item) => unknown) | undefined
}

/**
 * The format of `/etc/hosts`: an address and a domain a line. Everything but domains is left out, and names of one label and
 * those of `localhost`, which are names of the machine.
 */
export interface HostsOptions<Item extends ListItem = ListItem> extends LineOptions<Item> {
  readonly format: 'hosts'
  /**
   * The address that the domains get.
   * @default '0.0.0.0'
   */
  readonly address?: string | undefined
}

/**
 * A response policy zone, as BIND, Knot Resolver, PowerDNS and Unbound read it: the names and their subdomains do not exist
 * (`CNAME .`), nor what answers with an address of the list. Everything but domains and IP addresses is left out, and names
 * of one label, which would be a top-level domain with all that is below it.
 */
export interface RpzOptions<Item extends ListItem = ListItem> extends LineOptions<Item> {
  readonly format: 'rpz'
  /** The name of the zone, such as `rpz.example`. */
  readonly zone: string
  /**
   * The serial of the zone, from 1 to 4,294,967,295; it must grow with each change. `writeList` finds it by itself: the
   * seconds since 1970, or one more than that of the file, if that is greater.
   */
  readonly serial?: number | undefined
  /**
   * How long answers may be kept, in seconds.
   * @default 300
   */
  readonly ttlSeconds?: number | undefined
}

/** How a list is written; `format` says which of the others apply. */
export type ListOptions<Item extends ListItem = ListItem> =
  PlainOptions<Item> | CsvOptions<Item> | JsonLinesOptions<Item> | HostsOptions<Item> | RpzOptions<Item>
