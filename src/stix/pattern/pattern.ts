/** A value in a pattern. A number's `text` is as written, because large numbers lose digits. */
export type PatternLiteral =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'integer' | 'float'; readonly value: number; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'timestamp' | 'hex' | 'binary'; readonly value: string }

/** One step from an object to a property: by name, by list index, or through any item of a list (`[*]`). */
export type PathStep =
  | { readonly kind: 'property'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'any' }

/** Left side of a comparison: `file:hashes.'SHA-256'`. The first step is always a property. */
export interface ObjectPath {
  readonly type: string
  readonly steps: readonly PathStep[]
}

/** Operators that compare with a single value. */
export type ComparisonOperator =
  '=' | '!=' | '>' | '<' | '>=' | '<=' | 'LIKE' | 'MATCHES' | 'ISSUBSET' | 'ISSUPERSET'

/** Conditions on one observation. `offset` is the location in the pattern, in UTF-16 code units. */
export type PatternComparison =
  | {
      readonly kind: 'comparison'
      readonly path: ObjectPath
      readonly negated: boolean
      readonly operator: ComparisonOperator
      readonly value: PatternLiteral
      readonly offset: number
    }
  | {
      readonly kind: 'in'
      readonly path: ObjectPath
      readonly negated: boolean
      readonly values: readonly PatternLiteral[]
      readonly offset: number
    }
  | {
      readonly kind: 'exists'
      readonly path: ObjectPath
      readonly negated: boolean
      readonly offset: number
    }
  | {
      readonly kind: 'all' | 'any'
      readonly operands: readonly PatternComparison[]
      readonly offset: number
    }

/** Restricts an observation by time or number. */
export type PatternQualifier =
  | { readonly kind: 'within'; readonly seconds: number; readonly offset: number }
  | { readonly kind: 'repeats'; readonly times: number; readonly offset: number }
  | { readonly kind: 'start-stop'; readonly start: string; readonly stop: string; readonly offset: number }

/** A pattern, or a part of one, about observations. Redundant parentheses are dropped. */
export type PatternExpression =
  | { readonly kind: 'observation'; readonly comparison: PatternComparison; readonly offset: number }
  | {
      readonly kind: 'and' | 'or' | 'followed-by'
      readonly operands: readonly PatternExpression[]
      readonly offset: number
    }
  | {
      readonly kind: 'qualified'
      readonly operand: PatternExpression
      readonly qualifiers: readonly PatternQualifier[]
      readonly offset: number
    }

/** Why and where a pattern is invalid. */
export interface PatternProblem {
  /** `syntax`: violates the grammar. `too-deep`: more than 64 nested parentheses. */
  readonly code: 'syntax' | 'too-deep'
  /** A sentence for people. */
  readonly message: string
  /** Location in UTF-16 code units, starting at 0. */
  readonly offset: number
  /** Line, starting at 1. */
  readonly line: number
  /** Column in UTF-16 code units, starting at 1. */
  readonly column: number
}

/** Result of {@link parsePattern}: the pattern, or the reason it is invalid. */
export type PatternResult =
  | { readonly ok: true; readonly pattern: PatternExpression }
  | { readonly ok: false; readonly problem: PatternProblem }
