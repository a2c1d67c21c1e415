"""Roles, API and console name the permissions on channels and deliveries by these constants."""

VIEW_CHANNEL = "notifications.view_channel"
VIEW_MESSAGE = "notifications.view_message"
VIEW_DELIVERY = "notifications.view_delivery"
ADD_CHANNEL = "notifications.add_channel"
CHANGE_CHANNEL = "notifications.change_channel"
DELETE_CHANNEL = "notifications.delete_channel"
REPLAY_DELIVERY = "notifications.replay_delivery"
