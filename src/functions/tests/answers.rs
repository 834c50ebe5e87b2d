//! What a call comes to when the application answers, well or badly.

use super::{
    pool, route, run,
    server::{Server, answer},
};

#[actix_web::test]
async fn an_answer_is_the_result_and_the_connection_is_used_again() {
    let server = Server::answering(answer("200 OK", r#"{"content":"sunny"}"#));
    let pool = pool(vec![route(server.url())]);
    for _ in 0..20 {
        assert_eq!(run(&pool).await, Ok("sunny".to_owned()));
    }
    assert_eq!((server.requests(), server.connections()), (20, 1));
}
