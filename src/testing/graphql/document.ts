import { parseTokens, type Token } from './tokens.ts'

/** A value written in a GraphQL document; a variable stands for what comes with the request. */
export type GraphqlValue =
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'constant'; readonly value: unknown }
  | { readonly kind: 'list'; readonly items: readonly GraphqlValue[] }
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, GraphqlValue> }

/** One field that a document asks for. */
export interface GraphqlField {
  readonly name: string
  readonly alias: string
  readonly arguments: ReadonlyMap<string, GraphqlValue>
  readonly selections: readonly GraphqlField[]
}

/** One operation of a document. */
export interface GraphqlOperation {
  readonly type: 'query' | 'mutation'
  readonly name: string | undefined
  readonly selections: readonly GraphqlField[]
}

/** A document that is no GraphQL, or GraphQL that the simulator has no use for. */
export class GraphqlSyntaxError extends Error {}

/**
 * Reads the operations of a GraphQL document. What an inline fragment asks for stands among its neighbours; named fragments
 * and directives are put aside as no connector uses them.
 */
export function parseDocument(source: string): GraphqlOperation[] {
  const parser = new Parser(parseTokens(source))
  return parser.document()
}

class Parser {
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  document(): GraphqlOperation[] {
    const operations: GraphqlOperation[] = []
    while (this.#peek() !== undefined) operations.push(this.#operation())
    if (operations.length === 0) throw new GraphqlSyntaxError('Syntax Error: Unexpected <EOF>.')
    return operations
  }

  #operation(): GraphqlOperation {
    if (this.#is('{')) return { type: 'query', name: undefined, selections: this.#selections() }
    const type = this.#name()
    if (type !== 'query' && type !== 'mutation') throw this.#unexpected(`"${type}"`)
    const name = this.#peek()?.kind === 'name' ? this.#name() : undefined
    if (this.#is('(')) this.#skipVariables()
    return { type, name, selections: this.#selections() }
  }

  /** Declared types of variables are not checked: the values are, against the input type itself. */
  #skipVariables(): void {
    for (let depth = 0; ;) {
      const token = this.#take()
      if (token.text === '(') depth++
      if (token.text === ')' && --depth === 0) return
    }
  }

  #selections(): GraphqlField[] {
    this.#expect('{')
    const fields: GraphqlField[] = []
    while (!this.#is('}')) {
      if (!this.#is('...')) fields.push(this.#field())
      else fields.push(...this.#inlineFragment())
    }
    this.#expect('}')
    return fields
  }

  #inlineFragment(): GraphqlField[] {
    this.#expect('...')
    if (!this.#is('{')) {
      const word = this.#name()
      if (word !== 'on') throw this.#unexpected(`"${word}"`)
      this.#name()
    }
    return this.#selections()
  }

  #field(): GraphqlField {
    const first = this.#name()
    let name = first
    if (this.#is(':')) {
      this.#expect(':')
      name = this.#name()
    }
    const given = this.#is('(') ? this.#pairs('(', ')') : new Map<string, GraphqlValue>()
    return { name, alias: first, arguments: given, selections: this.#is('{') ? this.#selections() : [] }
  }

  #pairs(open: string, close: string): Map<string, GraphqlValue> {
    const pairs = new Map<string, GraphqlValue>()
    this.#expect(open)
    while (!this.#is(close)) {
      const name = this.#name()
      this.#expect(':')
      pairs.set(name, this.#value())
    }
    this.#expect(close)
    return pairs
  }

  #value(): GraphqlValue {
    if (this.#is('{')) return { kind: 'object', fields: this.#pairs('{', '}') }
    if (this.#is('[')) {
      this.#expect('[')
      const items: GraphqlValue[] = []
      while (!this.#is(']')) items.push(this.#value())
      this.#expect(']')
      return { kind: 'list', items }
    }
    const token = this.#take()
    if (token.text === '$') return { kind: 'variable', name: this.#name() }
    if (token.kind === 'text' || token.kind === 'number') return { kind: 'constant', value: token.value }
    if (token.kind !== 'name') throw this.#unexpected(token.text)
    const words: Readonly<Record<string, unknown>> = { true: true, false: false, null: null }
    return { kind: 'constant', value: token.text in words ? words[token.text] : token.text }
  }

  #name(): string {
    const token = this.#take()
    if (token.kind !== 'name') throw this.#unexpected(token.text)
    return token.text
  }

  #is(text: string): boolean {
    const token = this.#peek()
    return token?.kind === 'mark' && token.text === text
  }

  #expect(text: string): void {
    const token = this.#take()
    if (token.kind !== 'mark' || token.text !== text) throw this.#unexpected(token.text)
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next]
  }

  #take(): Token {
    const token = this.#tokens[this.#next++]
    if (token === undefined) throw this.#unexpected('<EOF>')
    return token
  }

  #unexpected(text: string): GraphqlSyntaxError {
    return new GraphqlSyntaxError(`Syntax Error: Unexpected ${text}.`)
  }
}
