import { type PatternLiteral } from './pattern.ts'

const quote = 39
const backslash = 92

/** White space in the grammar (`WS` in STIXPattern.g4). */
const whiteSpace = /[\s\u0085]/
const number = /[+-]?(?:\d*\.\d+|0|[1-9]\d*)/y
const timestamp =
  /t'\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?Z'/y

const isWordStart = (code: number) => (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95
const isDigit = (code: number) => code >= 48 && code <= 57

/**
 * Tokenizer for STIX patterns. Never throws: the first failure is stored in `failure`, and the method that
 * hit it returns undefined. Grammar: OASIS, cti-stix2-json-schemas, pattern_grammar/STIXPattern.g4.
 */
export class PatternScanner {
  readonly text: string
  offset = 0
  failure: { readonly offset: number; readonly message: string } | undefined

  constructor(text: string) {
    this.text = text
  }

  /** Stores the first failure. Returns undefined to allow `return scanner.fail(…)`. */
  fail(message: string, offset = this.offset): undefined {
    this.failure ??= { offset, message }
    return undefined
  }

  /** Skips white space and comments, `/* … *\/` and `// …`. Returns false for an unterminated comment. */
  skip(): boolean {
    const { text } = this
    for (;;) {
      const code = text.charCodeAt(this.offset)
      if (code === 32 || code === 10 || code === 9 || code === 13) {
        this.offset += 1
      } else if (code === 47) {
        if (!this.#skipComment()) return false
      } else if ((code > 126 || code === 11 || code === 12) && whiteSpace.test(text.charAt(this.offset))) {
        this.offset += 1
      } else {
        return true
      }
    }
  }

  #skipComment(): boolean {
    const next = this.text.charCodeAt(this.offset + 1)
    if (next === 47) {
      const end = /[\r\n]|$/g
      end.lastIndex = this.offset
      this.offset = end.exec(this.text)?.index ?? this.text.length
      return true
    }
    if (next === 42) {
      const end = this.text.indexOf('*/', this.offset + 2)
      if (end >= 0) {
        this.offset = end + 2
        return true
      }
      this.fail('the comment that starts here does not end')
    } else {
      this.fail('unexpected slash outside a string')
    }
    return false
  }

  /** Code of the next character after white space and comments; NaN at the end. */
  peek(): number {
    return this.skip() ? this.text.charCodeAt(this.offset) : Number.NaN
  }

  /** Consumes the next token if it is `symbol`. */
  take(symbol: string): boolean {
    if (!this.skip() || !this.text.startsWith(symbol, this.offset)) return false
    this.offset += symbol.length
    return true
  }

  /** The next word (letters, digits, `_`, `-`), not consumed; `''` if the next token is not a word. */
  peekWord(): string {
    const start = this.peek()
    if (!isWordStart(start)) return ''
    let end = this.offset + 1
    for (;;) {
      const code = this.text.charCodeAt(end)
      if (!isWordStart(code) && !isDigit(code) && code !== 45) break
      end += 1
    }
    return this.text.slice(this.offset, end)
  }

  /** Consumes the next token if it is this keyword. Keywords are uppercase. */
  takeWord(keyword: string): boolean {
    if (this.peekWord() !== keyword) return false
    this.offset += keyword.length
    return true
  }

  /** Consumes a word; fails if there is none. */
  word(what: string): string | undefined {
    const word = this.peekWord()
    if (word === '') return this.fail(`expected ${what}`)
    this.offset += word.length
    return word
  }

  /** Consumes a single-quoted string. The only escapes are `\'` and `\\` (`StringLiteral` in the grammar). */
  string(what: string): string | undefined {
    if (this.peek() !== quote) return this.fail(`expected ${what} in single quotes`)
    const { text } = this
    const begin = this.offset
    let value = ''
    let from = begin + 1
    for (let at = from; at < text.length; at += 1) {
      const code = text.charCodeAt(at)
      if (code === quote) {
        this.offset = at + 1
        return value + text.slice(from, at)
      }
      if (code !== backslash) continue
      const escaped = text.charCodeAt(at + 1)
      if (escaped !== quote && escaped !== backslash) {
        return this.fail("a backslash in a string must be followed by ' or another backslash", at)
      }
      value += text.slice(from, at)
      from = at + 1
      at += 1
    }
    return this.fail('the string that starts here does not end', begin)
  }

  /** Consumes an unsigned integer, as in indices and qualifiers. */
  wholeNumber(what: string): number | undefined {
    const isNumber = isDigit(this.peek())
    const begin = this.offset
    const literal = isNumber ? this.#number() : undefined
    return literal?.kind === 'integer' ? literal.value : this.fail(`expected ${what}`, begin)
  }

  /** Consumes an integer or decimal above zero. */
  positiveNumber(what: string): number | undefined {
    this.skip()
    const begin = this.offset
    const literal = this.#number()
    return literal !== undefined && literal.value > 0 ? literal.value : this.fail(`expected ${what}`, begin)
  }

  /** Consumes the next value; fails if there is none. */
  literal(): PatternLiteral | undefined {
    const code = this.peek()
    const next = this.text.charCodeAt(this.offset + 1)
    if (code === quote) {
      const value = this.string('a value')
      return value === undefined ? undefined : { kind: 'string', value }
    }
    if (next === quote) {
      if (code === 116) return this.#timestamp()
      if (code === 104) return this.#encoded('hex', isHex, 2)
      if (code === 98) return this.#encoded('binary', isBase64, 4)
    }
    if (this.takeWord('true')) return { kind: 'boolean', value: true }
    if (this.takeWord('false')) return { kind: 'boolean', value: false }
    return this.#number() ?? this.fail('expected a value: text in single quotes, a number, true, or false')
  }

  /** Consumes a timestamp, with or without `t`: STIX 2.0 wrote START and STOP times as strings. */
  time(): string | undefined {
    if (this.peek() === quote) return this.string('a time')
    return this.text.startsWith("t'", this.offset)
      ? this.#timestamp()?.value.toString()
      : this.fail("expected a time such as t'2026-01-14T10:00:00Z'")
  }

  #number(): Extract<PatternLiteral, { kind: 'integer' | 'float' }> | undefined {
    number.lastIndex = this.offset
    const text = number.exec(this.text)?.[0]
    if (text === undefined) return undefined
    this.offset += text.length
    return { kind: text.includes('.') ? 'float' : 'integer', value: Number(text), text }
  }

  #timestamp(): PatternLiteral | undefined {
    timestamp.lastIndex = this.offset
    const text = timestamp.exec(this.text)?.[0]
    if (text === undefined) return this.fail("not a valid time such as t'2026-01-14T10:00:00Z'")
    this.offset += text.length
    return { kind: 'timestamp', value: text.slice(2, -1) }
  }

  /** `h'…'` or `b'…'`. Scanned by hand, because a regular expression would need stack for a long one. */
  #encoded(
    kind: 'hex' | 'binary',
    isAllowed: (code: number) => boolean,
    group: number,
  ): PatternLiteral | undefined {
    const begin = this.offset + 2
    let end = begin
    while (isAllowed(this.text.charCodeAt(end))) end += 1
    const digitsEnd = end
    if (kind === 'binary') while (end < digitsEnd + 2 && this.text.charCodeAt(end) === 61) end += 1
    if (this.text.charCodeAt(end) !== quote || (end - begin) % group !== 0) {
      return this.fail(
        kind === 'hex' ? "not a valid h'…' of hexadecimal pairs" : "not a valid b'…' of base64",
      )
    }
    this.offset = end + 1
    return { kind, value: this.text.slice(begin, end) }
  }
}

const isHex = (code: number) => isDigit(code) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70)

const isBase64 = (code: number) =>
  isDigit(code) || (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 43 || code === 47
