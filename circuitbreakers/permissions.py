"""Roles, API and console name the permissions on breakers, incidents and the queue by these constants."""

VIEW_BREAKER = "circuitbreakers.view_breaker"
VIEW_INCIDENT = "circuitbreakers.view_incident"
VIEW_EVENT = "circuitbreakers.view_event"
OPERATE_BREAKER = "circuitbreakers.operate_breaker"
OPERATE_QUEUE = "circuitbreakers.operate_queue"
CHANGE_BREAKER = "circuitbreakers.change_breaker"
