"""One person is in one conversation: who may write to whom, asked before the first paid call and again at the push."""
