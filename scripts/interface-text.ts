import { expectedOf } from '../src/settings/reading/expected-text.ts'
import {
  defaultOf,
  definitionOf,
  descriptionOf,
  innerOf,
  shapeOf,
} from '../src/settings/schemas/inner-schema.ts'
import { deliveryFields, type SettingField } from '../src/settings/schemas/setting-field.ts'
import { notesOf } from '../src/settings/schemas/setting-notes.ts'
import { isSecretSchema } from '../src/util/secret.ts'

export type Schema = Parameters<typeof notesOf>[0]

/** The options as an author writes them in `static defaults`, as resolved, or as passed instead of resolved ones. */
export type Side = 'written' | 'resolved' | 'handed'

/** A field of an interface: its schema, and the setting that an operator knows it by. */
export interface Member {
  readonly name: string
  readonly schema: Schema
  readonly setting?: SettingField | undefined
  /** Whether it may be absent although its schema wants it. */
  readonly isOptional?: boolean | undefined
}

/** An interface in TypeScript, with a comment on itself and on each member. */
export function interfaceText(name: string, about: string, members: readonly Member[], side: Side): string {
  return `${comment(about)}\nexport interface ${name} {\n${members.map((member) => memberText(member, side)).join('\n')}\n}`
}

function memberText(member: Member, side: Side): string {
  const { name, schema } = member
  // Nothing has to be written in the defaults.
  const isOptional = side === 'written' || member.isOptional === true || schema._zod.optout === 'optional'
  const type = `${typeText(schema, side)}${isOptional ? ' | undefined' : ''}`
  return `${comment(aboutMember(member, side))}\n${side === 'written' ? '' : 'readonly '}${name}${isOptional ? '?' : ''}: ${type}`
}

/** Text, range, name for operators and default, as an editor shows them. */
function aboutMember({ schema, setting }: Member, side: Side): string {
  const { forAuthors } = notesOf(schema)
  const description = inCode(descriptionOf(schema)!, setting?.option)
  // A field of delivery that is in force has nothing left to choose.
  if (side === 'resolved' && (setting === undefined || setting.option !== undefined)) {
    return sentences(description, forAuthors)
  }
  const expected = expectedOf(schema)
  const range = /^a (?:whole )?number/.test(expected) ? `A${withCommas(expected.slice(1))}.` : undefined
  const environment =
    setting === undefined ? undefined : `Environment:${fixedSpace}\`${setting.environment}\`.`
  const value = notesOf(schema).isSecret === true ? undefined : defaultOf(schema)
  const isGroup = shapeOf(schema) !== undefined || notesOf(schema).inCodeOnly === true
  const byDefault =
    value === undefined || isGroup ? '' : `\n@default ${JSON.stringify(value).replaceAll('"', "'")}`
  return sentences(description, forAuthors, range, environment) + byDefault
}

const sentences = (...parts: readonly (string | undefined)[]) =>
  parts.filter((part) => part !== undefined).join(' ')

const withCommas = (text: string) =>
  text.replaceAll(/\d{4,}/g, (digits) => Number(digits).toLocaleString('en-US'))

/** Options under the names that they have in code, seen from the group of `option`. */
function inCode(description: string, option: readonly string[] = []): string {
  const group = option
    .slice(0, -1)
    .map((name) => `${name}.`)
    .join('')
  return description.replaceAll(
    /\b(CONNECTOR_[A-Z_]+)(?:=(\w+))?/g,
    (text, environment: string, value?: string) => {
      const other = deliveryFields.find((field) => field.environment === environment)?.option?.join('.')
      if (other === undefined) return text
      const name = group !== '' && other.startsWith(group) ? other.slice(group.length) : other
      return value === undefined ? `\`${name}\`` : `\`${name}: '${value}'\``
    },
  )
}

function typeText(schema: Schema, side: Side): string {
  const notes = notesOf(schema)
  const named = side === 'handed' ? undefined : notes[side]
  if (named !== undefined) return named
  if (side !== 'written' && (isSecretSchema(schema) || notes.isSecret === true)) {
    return side === 'handed' ? 'Secret | string' : 'Secret'
  }
  const inner = innerOf(schema)
  if (inner !== undefined) return typeText(inner, side)
  const def = definitionOf(schema)
  switch (def.type) {
    case 'string':
    case 'number':
    case 'boolean':
      return def.type
    case 'literal':
      return literals(def.values)
    case 'enum':
      return literals(Object.values(def.entries))
    case 'union':
      return unionText(def.options.map((option) => typeText(option, side)))
    case 'array':
      return `readonly ${typeText(def.element, side)}[]`
    case 'object':
      return `{ ${plainMembers(schema)
        .map((member) => memberText(member, side))
        .join('\n')} }`
    default:
      throw new TypeError(`a ${def.type} has no name in TypeScript: say it in its notes, as "${side}"`)
  }
}

/** Any number already includes a literal number. */
function unionText(types: readonly string[]): string {
  const isNumber = types.includes('number')
  return [...new Set(types)].filter((type) => !isNumber || Number.isNaN(Number(type))).join(' | ')
}

const literals = (values: readonly unknown[]) =>
  values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value))).join(' | ')

/** Where a line must not end. */
const fixedSpace = '\u00A0'

/** The lines of a comment, none of them too long. */
function comment(text: string): string {
  const lines = text
    .split('\n')
    .flatMap((line) => wrapped(line).map((part) => part.replaceAll(fixedSpace, ' ')))
  if (lines.length === 1) return `/** ${lines[0]} */`
  return `/**\n${lines.map((line) => ` * ${line}`.trimEnd()).join('\n')}\n */`
}

function wrapped(line: string): readonly string[] {
  const lines = ['']
  for (const word of line.split(' ')) {
    const last = lines.at(-1)!
    if (last !== '' && last.length + word.length > 110) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return line.startsWith(' ') ? [line] : lines
}

/** The members of an object schema, without their settings. */
export function plainMembers(object: Schema): readonly Member[] {
  return Object.entries(shapeOf(object)!).map(([name, schema]) => ({ name, schema }))
}
