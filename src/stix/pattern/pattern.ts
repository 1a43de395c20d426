/** A value in a pattern. `text` of a number is as it was written, since a large one loses digits as a number. */
export type PatternLiteral =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'integer' | 'float'; readonly value: number; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'timestamp' | 'hex' | 'binary'; readonly value: string }

/** One step from an object to a property: by name, by place in a list, or through any item of a list (`[*]`). */
export type PathStep =
  | { readonly kind: 'property'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'any' }

/** What a comparison looks at: `file:hashes.'SHA-256'`. The first step is always a property. */
export interface ObjectPath {
  readonly type: string
  readonly steps: readonly PathStep[]
}

/** The operators that compare with one value. */
export type ComparisonOperator =
  '=' | '!=' | '>' | '<' | '>=' | '<=' | 'LIKE' | 'MATCHES' | 'ISSUBSET' | 'ISSUPERSET'

/** What must hold of one observation. `offset` is the place in the pattern, in UTF-16 code units. */
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

/** What narrows an observation down in time or number. */
export type PatternQualifier =
  | { readonly kind: 'within'; readonly seconds: number; readonly offset: number }
  | { readonly kind: 'repeats'; readonly times: number; readonly offset: number }
  | { readonly kind: 'start-stop'; readonly start: string; readonly stop: string; readonly offset: number }

/** A pattern, or a part of one, that speaks of observations. Redundant parentheses leave no trace. */
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

/** Why a pattern could not be read, and where. */
export interface PatternProblem {
  /** `syntax`: it does not follow the grammar. `too-deep`: more than 64 parentheses within one another. */
  readonly code: 'syntax' | 'too-deep'
  /** One sentence for a person. */
  readonly message: string
  /** The place in UTF-16 code units, from 0. */
  readonly offset: number
  /** The line, from 1. */
  readonly line: number
  /** The column in UTF-16 code units, from 1. */
  readonly column: number
}

/** What {@link parsePattern} gives: the pattern, or the reason why there is none. */
export type PatternResult =
  | { readonly ok: true; readonly pattern: PatternExpression }
  | { readonly ok: false; readonly problem: PatternProblem }
