/**
 * Answers many questions together: all that are asked in one turn of the event loop, with one call. For calls
 * that cost a round trip however much they ask.
 */
export class TurnBatch<Question, Answer> {
  readonly #call: (questions: readonly Question[]) => Promise<readonly Answer[]>
  readonly #maxQuestions: number
  #asked: { readonly question: Question; readonly answer: PromiseWithResolvers<Answer> }[] = []

  /**
   * @param call answers questions in their order; all fail together.
   * @param maxQuestions per call.
   */
  constructor(call: (questions: readonly Question[]) => Promise<readonly Answer[]>, maxQuestions = 500) {
    this.#call = call
    this.#maxQuestions = maxQuestions
  }

  ask(question: Question): Promise<Answer> {
    const answer = Promise.withResolvers<Answer>()
    this.#asked.push({ question, answer })
    // Everything that this turn's input sets off runs before the immediate does.
    if (this.#asked.length === 1) setImmediate(() => this.#answerAll())
    return answer.promise
  }

  #answerAll(): void {
    const asked = this.#asked
    this.#asked = []
    for (let start = 0; start < asked.length; start += this.#maxQuestions)
      void this.#answer(asked.slice(start, start + this.#maxQuestions))
  }

  async #answer(
    asked: readonly { readonly question: Question; readonly answer: PromiseWithResolvers<Answer> }[],
  ) {
    try {
      const answers = await this.#call(asked.map(({ question }) => question))
      for (const [index, { answer }] of asked.entries()) answer.resolve(answers[index]!)
    } catch (error) {
      for (const { answer } of asked) answer.reject(error)
    }
  }
}
