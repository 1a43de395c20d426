import {
  type ComparisonOperator,
  type ObjectPath,
  type PathStep,
  type PatternComparison,
  type PatternExpression,
  type PatternLiteral,
  type PatternQualifier,
  type PatternResult,
} from './pattern.ts'
import { PatternPlaces } from './pattern-places.ts'
import { PatternScanner } from './pattern-scanner.ts'

/** Maximum nesting of parentheses: each level uses stack, and no real pattern goes this deep. */
const maxDepth = 64

/**
 * Parses a pattern in the STIX 2.1 patterning language. Takes linear time and never throws; for an invalid
 * pattern, it returns the reason and the location. Also accepts the unambiguous parts of STIX 2.0: unquoted
 * keys with hyphens (`hashes.SHA-256`), START and STOP times without `t`, and empty sets.
 *
 * Follows the OASIS grammar (cti-stix2-json-schemas, pattern_grammar/STIXPattern.g4), plus `EXISTS` and the
 * position of `NOT` from STIX 2.1, section 9.
 *
 * @example
 * ```ts
 * import { parsePattern } from 'opencti-stream-connector'
 *
 * const result = parsePattern("[url:value = 'http://bad.example/']")
 * console.log(result.ok ? result.pattern.kind : result.problem.message)
 * ```
 */
export function parsePattern(text: string): PatternResult {
  const parser = new PatternParser(text)
  const pattern = parser.pattern()
  if (pattern !== undefined) return { ok: true, pattern }
  const { offset, message } = parser.failure
  const place = new PatternPlaces(text).placeOf(offset)
  return { ok: false, problem: { code: parser.isTooDeep ? 'too-deep' : 'syntax', message, offset, ...place } }
}

const quote = 39
const openBracket = 91
const openParenthesis = 40

/** Operands joined by a keyword. */
interface Joined<Operand, Kind> {
  readonly kind: Kind
  readonly operands: readonly Operand[]
  readonly offset: number
}

class PatternParser {
  readonly #scanner: PatternScanner
  #depth = 0
  #isTooDeep = false

  constructor(text: string) {
    this.#scanner = new PatternScanner(text)
  }

  get isTooDeep(): boolean {
    return this.#isTooDeep
  }

  get failure(): { readonly offset: number; readonly message: string } {
    return this.#scanner.failure ?? { offset: this.#scanner.offset, message: 'not a pattern' }
  }

  pattern(): PatternExpression | undefined {
    const scanner = this.#scanner
    const pattern = this.#followedBy()
    if (pattern === undefined || !scanner.skip()) return undefined
    if (scanner.offset < scanner.text.length) {
      return scanner.fail('expected AND, OR, FOLLOWEDBY, a qualifier, or the end')
    }
    return pattern
  }

  // Precedence, lowest first: FOLLOWEDBY, OR, AND.
  #followedBy(): PatternExpression | undefined {
    return this.#joined('FOLLOWEDBY', 'followed-by', () => this.#or())
  }

  #or(): PatternExpression | undefined {
    return this.#joined('OR', 'or', () => this.#and())
  }

  #and(): PatternExpression | undefined {
    return this.#joined('AND', 'and', () => this.#qualified())
  }

  /** A single operand, or several joined by `keyword`. */
  #joined<Operand extends { readonly offset: number }, Kind extends string>(
    keyword: string,
    kind: Kind,
    next: () => Operand | undefined,
  ): Operand | Joined<Operand, Kind> | undefined {
    const first = next()
    if (first === undefined || !this.#scanner.takeWord(keyword)) return first
    const operands = [first]
    do {
      const operand = next()
      if (operand === undefined) return undefined
      operands.push(operand)
    } while (this.#scanner.takeWord(keyword))
    return { kind, operands, offset: first.offset }
  }

  #qualified(): PatternExpression | undefined {
    const operand = this.#observation()
    if (operand === undefined) return undefined
    let qualifiers: PatternQualifier[] | undefined
    for (;;) {
      const word = this.#scanner.peekWord()
      if (word !== 'WITHIN' && word !== 'REPEATS' && word !== 'START') break
      const qualifier = this.#qualifier(word)
      if (qualifier === undefined) return undefined
      qualifiers ??= []
      qualifiers.push(qualifier)
    }
    return qualifiers === undefined
      ? operand
      : { kind: 'qualified', operand, qualifiers, offset: operand.offset }
  }

  #qualifier(word: 'WITHIN' | 'REPEATS' | 'START'): PatternQualifier | undefined {
    const scanner = this.#scanner
    const { offset } = scanner
    scanner.takeWord(word)
    if (word === 'WITHIN') {
      const seconds = scanner.positiveNumber('a number of seconds')
      return seconds !== undefined && this.#keyword('SECONDS')
        ? { kind: 'within', seconds, offset }
        : undefined
    }
    if (word === 'REPEATS') {
      const times = scanner.wholeNumber('a number of times')
      if (times === 0) return scanner.fail('a pattern must repeat at least once', offset)
      return times !== undefined && this.#keyword('TIMES') ? { kind: 'repeats', times, offset } : undefined
    }
    const start = scanner.time()
    if (start === undefined || !this.#keyword('STOP')) return undefined
    const stop = scanner.time()
    return stop === undefined ? undefined : { kind: 'start-stop', start, stop, offset }
  }

  #observation(): PatternExpression | undefined {
    const scanner = this.#scanner
    const code = scanner.peek()
    const { offset } = scanner
    if (code === openParenthesis) return this.#inParentheses(() => this.#followedBy())
    if (code !== openBracket) return scanner.fail('expected an observation in square brackets')
    scanner.offset += 1
    const comparison = this.#any()
    if (comparison === undefined) return undefined
    if (!scanner.take(']')) return scanner.fail('expected ], AND, or OR')
    return { kind: 'observation', comparison, offset }
  }

  /** Parses an opening parenthesis, `inner`, and a closing parenthesis. */
  #inParentheses<T>(inner: () => T | undefined): T | undefined {
    const scanner = this.#scanner
    if (this.#depth === maxDepth) {
      if (scanner.failure === undefined) this.#isTooDeep = true
      return scanner.fail(`more than ${maxDepth} nested parentheses`)
    }
    this.#depth += 1
    scanner.offset += 1
    const result = inner()
    this.#depth -= 1
    if (result === undefined) return undefined
    return scanner.take(')') ? result : scanner.fail('expected a closing parenthesis')
  }

  // Inside an observation, OR has lower precedence than AND.
  #any(): PatternComparison | undefined {
    return this.#joined('OR', 'any', () => this.#all())
  }

  #all(): PatternComparison | undefined {
    return this.#joined('AND', 'all', () => this.#test())
  }

  #test(): PatternComparison | undefined {
    const scanner = this.#scanner
    if (scanner.peek() === openParenthesis) return this.#inParentheses(() => this.#any())
    const { offset } = scanner
    const isNegated = scanner.takeWord('NOT')
    if (scanner.takeWord('EXISTS')) {
      const path = this.#path()
      return path === undefined ? undefined : { kind: 'exists', path, negated: isNegated, offset }
    }
    if (isNegated) return scanner.fail('expected EXISTS; other comparisons have NOT after the path')
    const path = this.#path()
    return path === undefined ? undefined : this.#comparison(path, offset)
  }

  #comparison(path: ObjectPath, offset: number): PatternComparison | undefined {
    const scanner = this.#scanner
    const negated = scanner.takeWord('NOT')
    if (scanner.takeWord('IN')) {
      const values = this.#set()
      return values === undefined ? undefined : { kind: 'in', path, negated, values, offset }
    }
    const operator = this.#operator()
    if (operator === undefined) {
      return scanner.fail('expected an operator: =, !=, <, >, IN, LIKE, MATCHES, ISSUBSET, or ISSUPERSET')
    }
    const value = this.#operand(operator)
    return value === undefined ? undefined : { kind: 'comparison', path, negated, operator, value, offset }
  }

  #operator(): ComparisonOperator | undefined {
    const scanner = this.#scanner
    if (scanner.take('==') || scanner.take('=')) return '='
    if (scanner.take('!=') || scanner.take('<>')) return '!='
    for (const symbol of ['<=', '>=', '<', '>'] as const) if (scanner.take(symbol)) return symbol
    for (const word of ['LIKE', 'MATCHES', 'ISSUBSET', 'ISSUPERSET'] as const) {
      if (scanner.takeWord(word)) return word
    }
    return undefined
  }

  #operand(operator: ComparisonOperator): PatternLiteral | undefined {
    const scanner = this.#scanner
    if (operator === '=' || operator === '!=') return scanner.literal()
    if (/^[<>]/.test(operator)) {
      scanner.skip()
      const { offset } = scanner
      const value = scanner.literal()
      return value?.kind === 'boolean' ? scanner.fail('true and false have no order', offset) : value
    }
    const value = scanner.string('text')
    return value === undefined ? undefined : { kind: 'string', value }
  }

  #set(): readonly PatternLiteral[] | undefined {
    const scanner = this.#scanner
    if (!scanner.take('(')) return scanner.fail('expected a set in parentheses')
    const values: PatternLiteral[] = []
    if (scanner.take(')')) return values
    do {
      const value = scanner.literal()
      if (value === undefined) return undefined
      values.push(value)
    } while (scanner.take(','))
    return scanner.take(')') ? values : scanner.fail('expected a comma or a closing parenthesis')
  }

  #path(): ObjectPath | undefined {
    const scanner = this.#scanner
    const type = scanner.word('an object type')
    if (type === undefined) return undefined
    if (!scanner.take(':')) return scanner.fail('expected a colon and a property')
    const first = this.#propertyStep()
    if (first === undefined) return undefined
    const steps = [first]
    for (;;) {
      const step = scanner.take('.') ? this.#propertyStep() : scanner.take('[') ? this.#itemStep() : 'end'
      if (step === undefined) return undefined
      if (step === 'end') return { type, steps }
      steps.push(step)
    }
  }

  #propertyStep(): PathStep | undefined {
    const name = this.#property()
    return name === undefined ? undefined : { kind: 'property', name }
  }

  #itemStep(): PathStep | undefined {
    const scanner = this.#scanner
    let step: PathStep = { kind: 'any' }
    if (!scanner.take('*')) {
      const index = scanner.wholeNumber('a number or *')
      if (index === undefined) return undefined
      step = { kind: 'index', index }
    }
    return scanner.take(']') ? step : scanner.fail('expected a closing square bracket')
  }

  #property(): string | undefined {
    const scanner = this.#scanner
    return scanner.peek() === quote ? scanner.string('a property') : scanner.word('a property')
  }

  #keyword(keyword: string): boolean {
    if (this.#scanner.takeWord(keyword)) return true
    this.#scanner.fail(`expected ${keyword}`)
    return false
  }
}
